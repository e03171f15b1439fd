// SPDX-License-Identifier: Apache-2.0
// Plugin: the Docker volume plugin protocol over HTTP, on top of a VolumeService. Knows what dockerd
// really does (docs/docker.md): how long it waits, what it retries, and what it makes of each answer.
// Lifecycle: must outlive the HTTP server that calls handle(). Thread-safe.
#pragma once

#include "base/periodic.h"
#include "dockerplugin/requests.h"
#include "http/server.h"
#include "service/volume_service.h"

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::dockerplugin {

enum class Verbs { post, any };

// What the programs that serve Docker do differently. The functions are called by several threads at once.
struct PluginSettings {
  std::string scope;  // "local" or "global": what Capabilities answers
  // How long a Get or List is held when nothing can be answered, before the connection is closed. From 29 s
  // on the engine does not retry, and unlike after an error it does not drop the volume; at 60 s it gives up
  // itself.
  Millis hold{31'000};
  std::string content_type = "application/vnd.docker.plugins.v1.2+json";
  Verbs verbs = Verbs::post;  // HTTP methods a call may come with
  std::function<Result<VolumeRequest>(std::string_view body)> parse = parse_request;
  // Whether a Get without a body is the engine's repeated try, which lost it; its connection is closed.
  std::function<bool(const http::Request&)> lost_its_body = [](const http::Request&) { return true; };
  // The answer to what is not part of the protocol; none: status 404 with an error that names it.
  std::optional<http::Response> not_part_of_it;
  // Told of every call with a volume name before it is carried out; may be empty.
  std::function<void(const http::Request&, const VolumeRequest&)> called;
};

class Plugin {
 public:
  // `log`: one line per failed request, with its context.
  Plugin(service::VolumeService& volumes, const Clock& clock, PluginSettings settings,
         std::function<void(const std::string&)> log);

  void handle(const http::Request& request, const http::Reply& reply);

 private:
  struct Call;
  struct Held {
    SteadyTime until;
    http::Reply reply;
  };
  http::Response answer(std::string body) const;
  void refuse(const http::Request& request, const http::Reply& reply) const;
  Result<VolumeRequest> parse(const Call& call) const;
  Result<std::string> dispatch(const Call& call);
  Result<std::string> mount(const Call& call);
  void hold(const http::Reply& reply);
  void release_held();

  service::VolumeService& volumes_;
  const Clock& clock_;
  PluginSettings settings_;
  std::function<void(const std::string&)> log_;
  std::mutex mutex_;
  std::vector<Held> held_;
  Periodic releaser_;  // last: uses the others
};

}  // namespace volplugin::dockerplugin
