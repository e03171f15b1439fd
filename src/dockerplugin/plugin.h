// SPDX-License-Identifier: Apache-2.0
// Plugin: the Docker volume plugin protocol over HTTP, on top of a VolumeService. Knows what dockerd
// really does (docs/docker.md): how long it waits, what it retries, and what it makes of each answer.
// Lifecycle: must outlive the HTTP server that calls handle(). Thread-safe.
#pragma once

#include "base/periodic.h"
#include "http/server.h"
#include "service/volume_service.h"

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace volplugin::dockerplugin {

struct PluginSettings {
  std::string scope;  // "local" or "global": what Capabilities answers
  // How long a Get or List is held when nothing can be answered, before the connection is closed. From 29 s
  // on the engine does not retry, and unlike after an error it does not drop the volume; at 60 s it gives up
  // itself.
  Millis hold{31'000};
};

class Plugin {
 public:
  // `log`: one line per failed request, with its context.
  Plugin(service::VolumeService& volumes, const Clock& clock, PluginSettings settings,
         std::function<void(const std::string&)> log);

  void handle(http::Request request, http::Reply reply);

 private:
  struct Call;
  struct Held {
    SteadyTime until;
    http::Reply reply;
  };
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
