// SPDX-License-Identifier: Apache-2.0
// Agent: what runs on every host. Implements the volume service for Docker: counts uses, asks volmaster
// for the right to mount, does the storage work of this host, and puts right what crashes and lost calls
// leave behind.
//
// A volume on this host:
//   (free) --first Mount: mount record, attach, mount--> mounted --more Mounts--> mounted
//     ^                                                     |
//     |                                                last Unmount
//     +---- released: nothing uses the device ----- unmounting (device still busy: tried again)
//
// A host whose session ended finds out before it trusts what it has mounted: it takes each mount under its
// new session if the record is still its own, else the volume is fenced: no new uses, and gone from here as
// soon as its containers are.
//
// Lifecycle: open() reads the journal; recover_step() is to be called at start and then every few seconds,
// keep_session() every session_interval().
// Threads: any; one call at a time per volume (queue), different volumes in parallel.
#pragma once

#include "base/bulkhead.h"
#include "base/keyed_queue.h"
#include "executor/executor.h"
#include "node/journal.h"
#include "node/session.h"
#include "service/volmaster.h"
#include "service/volume_records.h"
#include "service/volume_service.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

namespace volplugin::node {

struct AgentSettings {
  model::NodeName node;
  std::string state_dir;  // journal
  std::string boot_id;
  std::string version;
  std::vector<std::string> backends;
  HostIdentity host{};
  size_t most_per_pool = 24;  // calls that wait for one pool at once, of the 64 that Docker may have
  Millis mount_wait{0};  // how long a mount waits for a volume that another host holds, if it does not say
  // The rule for names of volumes.
  std::function<Result<model::VolumeId>(std::string_view)> parse_name = [](std::string_view text) {
    return model::parse_volume_id(text);
  };
};

struct AgentParts {
  service::VolumeRecords& records;
  executor::Executor& executor;
  executor::Filesystems& filesystems;
  const Clock& clock;
  std::function<void(const std::string&)> warn;  // things people should read, once each
};

class Agent final : public service::VolumeService {
 public:
  static Result<std::unique_ptr<Agent>> open(AgentParts parts, AgentSettings settings);

  void engine_activated(std::optional<pid_t> engine) override;
  Result<> create(const Op& op, const std::string& name,
                  const std::map<std::string, std::string>& options) override;
  Result<> remove(const Op& op, const std::string& name) override;
  Result<std::string> mount(const Op& op, const service::MountRequest& request) override;
  Result<> unmount(const Op& op, const std::string& name, const std::string& mount_id) override;
  Result<std::string> path(const Op& op, const std::string& name) override;
  Result<service::VolumeStatus> get(const Op& op, const std::string& name) override;
  Result<std::vector<service::VolumeStatus>> list(const Op& op) override;

  // Registers with volmaster, takes over what an earlier life left, finishes unmounts, and drops uses
  // whose Unmount was lost. One pass; never blocks longer than the Op.
  void recover_step(const Op& op);
  // Says to volmaster that this host is there, and takes its mounts over to a new session.
  void keep_session(const Op& op);
  // Whether it has had a session and a list of all volumes in this life. Does not block.
  bool knows_volumes() const;
  Millis session_interval() const { return session_.interval(); }
  // Storage work that volmaster hands to this node.
  service::TaskResult run_task(const Op& op, const service::Task& task);
  const model::NodeName& name() const { return settings_.node; }

 private:
  Agent(AgentParts parts, AgentSettings settings, std::unique_ptr<Journal> journal);

  Result<std::string> first_mount(const Op& op, const model::VolumeId& id, const model::MountId& use,
                                  std::optional<pid_t> engine);
  Result<std::string> share_mount(const Op& op, JournalEntry entry, const model::MountId& use,
                                  std::optional<pid_t> engine);
  Result<model::Record<model::Mount>> acquire(const Op& op, const service::AcquireMount& request,
                                              Millis wait);
  Result<std::string> claim_for_mount(const Op& op, const model::VolumeId& id);
  Result<bool> give_back_unknown(const Op& op, const model::VolumeId& id);
  Result<> confirm_right(const Op& op, JournalEntry& entry);
  Result<> claim_again(const Op& op, JournalEntry& entry, const std::string& session);
  Result<> mount_and_record(const Op& op, const JournalEntry& entry, std::optional<pid_t> engine);
  Result<> check_visible(const model::VolumeId& id, std::optional<pid_t> engine);
  void count_use(JournalEntry& entry, const model::MountId& use);
  bool lost_unmounts(const JournalEntry& entry) const;
  std::string pool_of(const model::VolumeId& id) const;
  static std::string pool_of(const model::Volume& volume);

  Result<> finish_unmount(const Op& op, const JournalEntry& entry);
  void tell_volmaster(const Op& op, const JournalEntry& entry, const std::string& message);

  Result<> check_wanted(const Op& op, const model::Volume& volume);
  model::Node describe_node() const;
  void note_session(const Result<>& renewed);
  void settle_mounts(const Op& op, const std::string& session);
  Result<> take_over_records(const Op& op);
  Result<> take_over(const Op& op, const model::Mount& mount);
  void reconcile(const Op& op, const model::VolumeId& id);

  service::VolumeStatus status_of(const model::Volume& volume) const;
  Result<std::vector<service::VolumeStatus>> cached_list(const Error& why) const;

  AgentParts parts_;
  AgentSettings settings_;
  std::unique_ptr<Journal> journal_;
  KeyedQueue queue_;
  Bulkhead bulkhead_;
  WallTime started_at_;
  SessionKeeper session_;
  std::atomic<bool> lost_told_ = false;
  std::set<std::string> slow_;   // volumes that recovery had no patience with; its thread only
  std::mutex settling_;          // one thread at a time; of the next two
  std::string settled_session_;  // under which everything mounted here is held
  SteadyTime look_again_{};

  // The last answers of volmaster, for when it cannot be reached: dockerd forgets a volume (and does not
  // start its containers) when it is told an error for it.
  mutable std::mutex cache_mutex_;
  std::map<std::string, model::Record<model::Volume>> cache_;
  bool cache_complete_ = false;  // a full list was seen in this life
};

}  // namespace volplugin::node
