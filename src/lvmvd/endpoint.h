// SPDX-License-Identifier: Apache-2.0
// Endpoint: volumes served to Docker, on a unix socket or on TCP with a spec file. Owns the listener, its
// threads and its file.
//
//   open() --> bound: calls wait in the kernel's queue --serve()--> serving --destruction--> gone
//
// So a second lvmvd learns that the place is taken before it looks at any volume. Destruction: no new
// connections, calls under way get 30 s to finish and are then asked to stop, the file goes; what is mounted
// stays mounted. Blocks until every call returned. Threads: those of http::Server and dockerplugin::Plugin.
#pragma once

#include "dockerplugin/plugin.h"
#include "http/server.h"
#include "lvmvd/flags.h"
#include "lvmvd/log.h"
#include "lvmvd/plugin_files.h"

#include <memory>
#include <string>

namespace volplugin::lvmvd {

class Endpoint {
 public:
  struct Parts {
    const Clock& clock;
    const Log& log;
    const Group& group;
  };
  // Requires settings that prepare_start() accepted. A live socket of somebody else is left alone. Errors:
  // already_exists when socket or port are in use.
  static Result<std::unique_ptr<Endpoint>> open(const Settings& settings, Parts parts);
  // Call once. `volumes` must outlive this object. Writes the spec file, if there is one.
  Result<> serve(service::VolumeService& volumes);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // Where it is reached: the path of the socket, or "host:port" as given.
  const std::string& address() const { return address_; }

 private:
  explicit Endpoint(Parts parts) : parts_(parts) {}
  Result<> listen_unix(const Settings& settings);
  Result<> listen_http(const Settings& settings);
  void handle(const http::Request& request, const http::Reply& reply);

  Parts parts_;
  std::string address_;
  std::string spec_path_;  // empty with a socket
  std::unique_ptr<SpecFile> spec_file_;
  std::unique_ptr<dockerplugin::Plugin> plugin_;
  std::unique_ptr<http::Server> server_;  // last: uses the others
};

}  // namespace volplugin::lvmvd
