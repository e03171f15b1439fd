// SPDX-License-Identifier: Apache-2.0
// AgentRole: the node agent with its Docker socket and background work, put together. Construct with
// open(), destroy to stop; what is mounted stays mounted.
#pragma once

#include "base/periodic.h"
#include "daemon/settings.h"
#include "dockerplugin/plugin.h"
#include "http/server.h"
#include "node/agent.h"
#include "node/task_loop.h"

#include <memory>
#include <optional>

namespace volplugin::daemon {

class AgentRole {
 public:
  struct Request {
    model::NodeName node;
    std::string state_dir;
    std::string plugin_socket;        // path
    std::optional<int> listening_fd;  // from socket activation, instead of plugin_socket
    std::string scope;                // "local" or "global"
    // Where storage work of this node comes from; none when volmaster is in this process.
    std::vector<service::Volmaster*> task_sources;
    std::vector<std::string> backends;
    Millis session_ttl{30'000};
    Millis mount_wait{0};
  };
  static Result<std::unique_ptr<AgentRole>> open(const Request& request, service::Volmaster& volmaster,
                                                 executor::Executor& executor,
                                                 executor::Filesystems& filesystems, const Clock& clock);
  ~AgentRole();

 private:
  AgentRole() = default;

  std::unique_ptr<node::Agent> agent_;
  std::unique_ptr<dockerplugin::Plugin> plugin_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<node::TaskLoop> tasks_;
  std::unique_ptr<Periodic> recovery_;
  std::unique_ptr<Periodic> session_;
};

}  // namespace volplugin::daemon
