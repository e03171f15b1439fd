// SPDX-License-Identifier: Apache-2.0
// VolmasterRole: the control plane with its store, recovery and REST API, put together. Used by volmaster
// and by `volplugin --standalone`. Construct with open(), destroy to stop: requests end first, then
// background work, then the store is closed.
#pragma once

#include "backend/registry.h"
#include "base/periodic.h"
#include "control/control_plane.h"
#include "daemon/settings.h"
#include "executor/host_filesystems.h"
#include "http/server.h"
#include "rest/api.h"

#include <memory>
#include <optional>
#include <set>

namespace volplugin::daemon {

class VolmasterRole {
 public:
  struct Request {
    const CommonSettings& common;
    std::string store;                          // "sqlite:PATH"
    std::vector<std::string> listen;            // addresses; may be empty
    std::optional<int> listening_fd;            // from socket activation
    std::optional<model::NodeName> local_node;  // standalone
    std::string mount_root;
  };
  static Result<std::unique_ptr<VolmasterRole>> open(const Request& request, const Clock& clock);
  ~VolmasterRole();

  control::ControlPlane& control() { return *control_; }
  executor::Executor& executor() { return *executor_; }
  executor::Filesystems& filesystems() { return filesystems_; }
  const executor::Backends& backends() const { return backends_; }

 private:
  explicit VolmasterRole(const Clock& clock) : clock_(clock), tasks_(clock) {}
  Result<> open_store(const std::string& spec);
  Result<> open_control(const Request& request);
  Result<> serve(const Request& request);
  void recover(const std::stop_token& stop);

  const Clock& clock_;
  executor::HostFilesystems filesystems_;
  executor::Backends backends_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<catalog::Catalog> catalog_;
  control::TaskQueue tasks_;
  std::unique_ptr<executor::Executor> executor_;
  std::unique_ptr<control::ControlPlane> control_;
  std::set<std::string> told_;  // what recovery has logged already
  std::unique_ptr<rest::Api> api_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<Periodic> recovery_;
  std::unique_ptr<Periodic> task_expiry_;
};

// Default backend and pools, where the settings say nothing.
model::ServerDefaults server_defaults(const CommonSettings& common);
Result<executor::Backends> open_configured_backends(const CommonSettings& common, const Clock& clock);

}  // namespace volplugin::daemon
