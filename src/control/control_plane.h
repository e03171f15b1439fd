// SPDX-License-Identifier: Apache-2.0
// ControlPlane: volmaster's use cases over the catalog, one file per verb and noun. The in-process
// implementation of service::Volmaster (standalone, tests) and what the REST routes call.
// Lifecycle: the objects in Parts must outlive it. recover_step() is to be called at start and then every
// few seconds (control/recovery.h does). Thread-safe.
#pragma once

#include "backend/adoption.h"
#include "backend/fencing.h"
#include "backend/snapshots.h"
#include "base/keyed_queue.h"
#include "catalog/catalog.h"
#include "control/presence.h"
#include "control/task_queue.h"
#include "executor/executor.h"
#include "service/volmaster.h"

#include <memory>
#include <optional>
#include <string>

namespace volplugin::control {

struct Settings {
  model::ServerDefaults defaults;
  std::optional<model::NodeName> local_node;  // standalone: the node whose storage work is done in process
  std::string version;
  std::string store;  // shown in health; empty: it is not worth a word
  bool alone = true;  // no other process has the store
  // volcli --etcd: the backends and which nodes live are not known here. Policies are taken without the
  // backend's opinion.
  bool break_glass = false;
};

struct Parts {
  catalog::Catalog& catalog;
  const executor::Backends& backends;  // for their rules; for cluster-wide ones also to work with
  service::StorageWork& local_work;
  TaskQueue& tasks;
  const Clock& clock;
};

class ControlPlane final : public service::Volmaster {
 public:
  ControlPlane(Parts parts, Settings settings)
      : parts_(parts),
        settings_(std::move(settings)),
        presence_(parts_.catalog, parts_.clock, settings_.alone) {}

  Result<model::Record<model::Tenant>> put_tenant(const Op& op, const model::Tenant& tenant,
                                                  std::optional<std::uint64_t> if_revision) override;
  Result<> delete_tenant(const Op& op, const model::TenantName& name,
                         std::optional<std::uint64_t> if_revision) override;
  Result<model::Record<model::Tenant>> get_tenant(const Op& op, const model::TenantName& name) override;
  Result<service::Page<model::Tenant>> list_tenants(const Op& op, const service::ListQuery& query) override;

  Result<service::CreateOutcome> create_volume(const Op& op, const service::CreateVolume& request) override;
  Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Volume>> list_volumes(const Op& op, const service::ListQuery& query) override;
  Result<> remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) override;

  Result<model::Record<model::Volume>> adopt_volume(const Op& op,
                                                    const service::AdoptVolume& request) override;

  Result<model::Record<model::Snapshot>> take_snapshot(const Op& op,
                                                       const service::TakeSnapshot& request) override;
  Result<model::Record<model::Snapshot>> get_snapshot(const Op& op, const model::SnapshotId& id) override;
  Result<service::Page<model::Snapshot>> list_snapshots(const Op& op,
                                                        const service::ListQuery& query) override;
  Result<> remove_snapshot(const Op& op, const model::SnapshotId& id) override;

  Result<model::Record<model::Mount>> acquire_mount(const Op& op,
                                                    const service::AcquireMount& request) override;
  Result<model::Record<model::Mount>> update_mount(const Op& op,
                                                   const service::UpdateMount& request) override;
  Result<> release_mount(const Op& op, const service::ReleaseMount& request) override;
  Result<> forget_mount(const Op& op, const service::ForgetMount& request) override;
  Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Mount>> list_mounts(const Op& op, const service::ListQuery& query) override;

  Result<model::Record<model::Session>> open_session(const Op& op,
                                                     const service::OpenSession& request) override;
  Result<> renew_session(const Op& op, const model::NodeName& node, const std::string& session) override;
  Result<model::Record<model::Node>> get_node(const Op& op, const model::NodeName& name) override;
  Result<service::Page<model::Node>> list_nodes(const Op& op, const service::ListQuery& query) override;
  void next_task(const Op& op, const model::NodeName& node, Millis wait, TaskCallback callback) override;
  Result<> finish_task(const Op& op, const model::NodeName& node, const service::TaskResult& result) override;

  Result<std::vector<model::Operation>> list_operations(const Op& op) override;
  Result<model::Operation> get_operation(const Op& op, const std::string& id) override;
  Result<service::Health> health(const Op& op) override;

  // Says to other volmasters that this one is at work, while it is. Call about once a second.
  void prolong_presence(const Op& op) { presence_.prolong(op); }
  // Whether the agent of a node is there. Does not block.
  bool connected(const model::NodeName& name) const;

  // Finishes or undoes what a crash or an unreachable node left half done: every volume that is not at
  // rest and that no call works on. Returns what could not be done yet, one line each.
  std::vector<std::string> recover_step(const Op& op);

 private:
  static constexpr Millis kSettleTimeout{10'000};  // to record or undo what did not end well

  using VolumeRecord = model::Record<model::Volume>;
  using MountRecord = model::Record<model::Mount>;
  using SnapshotRecord = model::Record<model::Snapshot>;
  using SessionRecord = model::Record<model::Session>;

  Result<> check_backend(const model::Tenant& tenant) const;
  Result<> refuse_if_alive(const model::Mount& mount) const;
  Result<VolumeRecord> existing_volume(const Op& op, VolumeRecord volume, const model::OptionSet& asked);
  // What is decided about a volume before there is anything of it.
  struct Resolved {
    model::Record<model::Tenant> tenant;
    backend::Backend& backend;
    model::VolumeOptions options;
  };
  Result<Resolved> resolve_volume(const Op& op, const model::VolumeId& id, const model::OptionSet& asked);
  Result<model::Volume> plan_volume(const Op& op, const service::CreateVolume& request,
                                    const model::OptionSet& asked);
  Result<std::optional<model::NodeName>> choose_node(const backend::Traits& traits,
                                                     const std::optional<model::NodeName>& asking) const;
  Result<VolumeRecord> record_creation(const Op& op, model::Volume volume);
  Result<VolumeRecord> make_volume(const Op& op, const VolumeRecord& record);
  // A record that the cache does not know may be new: the store is asked. Null: there is none.
  template <class T>
  Result<model::Record<T>> look_up(const Op& op, catalog::Table<T>& table, const std::string& name) {
    auto record = table.find(name);
    if (record || settings_.alone) return record;
    TRY(parts_.catalog.refresh(op, table, name));
    return table.find(name);
  }
  Result<backend::Adoption*> adoption_of(const std::string& name) const;
  Result<> clear_way_to_adopt(const Op& op, const model::VolumeId& id);
  Result<> refuse_owned(const backend::ImageKey& key, const std::string& owner,
                        service::Confirmed confirmed) const;
  Result<VolumeRecord> take_image(const Op& op, const VolumeRecord& record, const backend::FoundImage& found);
  Result<> give_back(const Op& op, const VolumeRecord& record, const Error& error);
  Result<> release_image(const Op& op, const model::Volume& volume) const;
  Result<> release_overtaken(const Op& op, const model::Volume& volume);
  Result<> undo_adoption(const Op& op, const VolumeRecord& record);
  Result<> drop_overtaken(const Op& op, const model::Volume& volume);
  Result<> put_back(const Op& op, model::Volume left, const Error& why);
  Result<> settle_failed_make(const Op& op, const VolumeRecord& record, const Error& error);
  Result<> wait_for_others(const Op& op, const model::VolumeId& id);
  Result<VolumeRecord> take_charge(const Op& op, const VolumeRecord& record);
  Result<> refuse_if_mounted(const Op& op, const model::VolumeId& id);
  Result<> delete_volume(const Op& op, const VolumeRecord& record);
  Result<> finish_removal(const Op& op, const VolumeRecord& record);
  struct Recovering;  // what a step of it has met so far
  Result<> bring_to_rest(const Op& op, const VolumeRecord& record);
  void recover_volumes(const Op& op, Recovering& recovering);
  void recover_snapshots(const Op& op, Recovering& recovering);
  Result<> undo_create(const Op& op, const VolumeRecord& record);
  Result<VolumeRecord> store(const Op& op, const VolumeRecord& old, model::Volume changed);
  std::shared_ptr<service::StorageWork> work_of(const model::Volume& volume) const;

  // take_snapshot.cc
  Result<VolumeRecord> volume_to_snapshot(const Op& op, const model::VolumeId& id);
  Result<> wait_for_others_snapshots(const Op& op, const model::VolumeId& id);
  Result<SnapshotRecord> clear_way_to_take(const Op& op, const model::SnapshotId& id);
  Result<SnapshotRecord> record_taking(const Op& op, const VolumeRecord& volume, const model::SnapshotId& id);
  Result<> undo_taking(const Op& op, const SnapshotRecord& record);
  Result<SnapshotRecord> take_recorded(const Op& op, const VolumeRecord& volume,
                                       const SnapshotRecord& record);

  // remove_snapshot.cc
  Result<backend::Snapshots*> snapshots_of(const model::Volume& volume) const;
  Result<> remove_from_storage(const Op& op, const model::Snapshot& snapshot);
  Result<> finish_snapshot_removal(const Op& op, const SnapshotRecord& record);
  Result<> bring_to_rest(const Op& op, const SnapshotRecord& record);
  Result<> forget_snapshots(const Op& op, const model::Volume& volume);
  Result<> forget_records(const Op& op, const std::vector<SnapshotRecord>& records);
  Result<> forget_orphans(const Op& op);
  bool is_orphan(const model::Snapshot& snapshot) const;
  Result<bool> has_volume(const Op& op, const model::Snapshot& snapshot);

  Result<SessionRecord> continue_session(const Op& op, const SessionRecord& held,
                                         const service::OpenSession& request);
  Result<SessionRecord> begin_session(const Op& op, const SessionRecord& held,
                                      const service::OpenSession& request);
  Result<SessionRecord> live_session(const model::NodeName& node, const std::string& session) const;
  bool is_stale(const model::Mount& mount) const;

  template <class Attempt>
  auto with_fresh_records(const Op& op, const model::VolumeId& id, Attempt attempt) -> decltype(attempt());
  Result<> refresh_mount(const Op& op, const model::VolumeId& id);
  Result<VolumeRecord> usable_volume(const Op& op, const service::AcquireMount& request);
  Result<MountRecord> hold_again(const Op& op, const SessionRecord& session, const MountRecord& held,
                                 const service::AcquireMount& request);
  Result<MountRecord> cut_off_holder(const Op& op, MountRecord held, const model::NodeName& next);
  Result<> lift_fence(const Op& op, const service::ReleaseMount& request);
  Result<MountRecord> commit_mount(const Op& op, catalog::Edit edit, model::Mount mount);
  MountRecord shown(const MountRecord& mount) const;

  Parts parts_;
  Settings settings_;
  Presence presence_;
  KeyedQueue queue_;           // one change at a time per volume
  std::string orphans_after_;  // of forget_orphans(): where the next page begins
};

}  // namespace volplugin::control
