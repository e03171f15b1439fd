// SPDX-License-Identifier: Apache-2.0
// VolmasterRole: the control plane with its store, recovery and REST API, put together. Used by volmaster
// and by `volplugin --standalone`. Construct with open(), destroy to stop: requests end first, then
// background work, then the store is closed.
//   waiting (answers 503; only a store that may be away) --(the records are loaded)--> serving
// Loading has no limit of time as long as records keep coming. open() waits for it, for a store that may be
// away kStartPatience at most; until then nothing answers, behind that 503 tells how far it is.
#pragma once

#include "backend/registry.h"
#include "base/periodic.h"
#include "control/control_plane.h"
#include "control/event_feed.h"
#include "daemon/settings.h"
#include "daemon/stores.h"
#include "executor/host_filesystems.h"
#include "http/server.h"
#include "rest/api.h"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

namespace volplugin::daemon {

class VolmasterRole {
 public:
  struct Request {
    const CommonSettings& common;
    StoreSource store;
    std::vector<std::string> listen;            // addresses; may be empty
    std::optional<int> listening_fd;            // from socket activation
    std::optional<model::NodeName> local_node;  // standalone
    std::string mount_root;
  };
  static Result<std::unique_ptr<VolmasterRole>> open(const Request& request, const Clock& clock);
  ~VolmasterRole();

  // Only when the store may not be away.
  control::ControlPlane& control() { return *control_; }
  executor::Executor& executor() { return *executor_; }
  executor::Filesystems& filesystems() { return filesystems_; }
  const executor::Backends& backends() const { return backends_; }

 private:
  static constexpr Millis kStartPatience{10'000};

  VolmasterRole(const Request& request, const Clock& clock);
  Result<> await_load();
  void try_to_load(const std::stop_token& stop);
  Result<> load(const std::stop_token& stop);
  void note_progress(SteadyTime since, size_t records);
  Result<> serve(const Request& request);
  void answer(http::Request received, http::Reply reply);
  void each_second(const std::stop_token& stop);
  void recover(const std::stop_token& stop);

  const Clock& clock_;
  const control::Settings settings_;
  const bool store_is_shared_;
  const std::string mount_root_;
  executor::HostFilesystems filesystems_;
  executor::Backends backends_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<catalog::Catalog> catalog_;
  control::TaskQueue tasks_;
  std::unique_ptr<executor::Executor> executor_;
  std::unique_ptr<control::ControlPlane> control_;
  std::unique_ptr<control::EventFeed> events_;
  std::set<std::string> told_;  // what recovery has logged already
  std::unique_ptr<rest::Api> api_;
  std::atomic<rest::Api*> serving_{nullptr};  // null: waiting
  std::mutex waiting_mutex_;                  // of the next three
  std::condition_variable tried_;
  std::optional<Result<>> first_try_;  // to load
  Error waiting_for_;                  // what keeps us
  SteadyTime progress_told_{};         // of the thread that loads
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<Periodic> recovery_;
  std::unique_ptr<Periodic> each_second_;  // loads until it serves
};

// Default backend and pools, where the settings say nothing.
model::ServerDefaults server_defaults(const CommonSettings& common);
// `host`: what drivers of cluster-wide storage call this process's host.
Result<executor::Backends> open_configured_backends(const CommonSettings& common, const std::string& host,
                                                    const Clock& clock);

}  // namespace volplugin::daemon
