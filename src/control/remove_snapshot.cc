// SPDX-License-Identifier: Apache-2.0
// Remove: record `removing` -> the storage forgets -> no record. It also undoes a take that did not end. What
// the storage has is found by the uid of the snapshot, so one that was taken since under the same name is
// safe from whoever comes late.
#include "base/faults.h"
#include "control/control_plane.h"
#include "executor/executor.h"

namespace volplugin::control {
namespace {

constexpr size_t kBatch = 64;    // changes of one commit
constexpr size_t kPage = 1'000;  // records that are looked at in one step

Error no_snapshot(const model::SnapshotId& id) {
  return make_error(Code::not_found, fmt::format("snapshot '{}' does not exist", id.text()));
}

}  // namespace

Result<model::Record<model::Snapshot>> ControlPlane::get_snapshot(const Op& op, const model::SnapshotId& id) {
  auto record = TRY(look_up(op, parts_.catalog.snapshots, id.text()));
  if (!record || (is_orphan(record->value) && !TRY(has_volume(op, record->value)))) return no_snapshot(id);
  return record;
}

Result<service::Page<model::Snapshot>> ControlPlane::list_snapshots(const Op& op,
                                                                    const service::ListQuery& query) {
  std::string prefix = query.tenant.empty() ? "" : query.tenant + "/";
  if (!query.volume.empty()) {
    TRY(get_volume(op, TRY(model::parse_volume_id(query.volume))));
    prefix = query.volume + "/";
  }
  auto page = parts_.catalog.snapshots.list(prefix, query.after, query.limit);
  std::erase_if(page.items, [this](const auto& record) { return is_orphan(record->value); });
  return page;
}

// As far as the cache knows: its volume was removed, or removed and made again.
bool ControlPlane::is_orphan(const model::Snapshot& snapshot) const {
  const auto volume = parts_.catalog.volumes.find(snapshot.id.volume.name());
  return !volume || volume->value.uid != snapshot.volume_uid;
}

// As the store has it: what the cache says of a volume may be old.
Result<bool> ControlPlane::has_volume(const Op& op, const model::Snapshot& snapshot) {
  const std::string name = snapshot.id.volume.name();
  if (!settings_.alone) TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, name));
  const auto volume = parts_.catalog.volumes.find(name);
  return volume && volume->value.uid == snapshot.volume_uid;
}

Result<> ControlPlane::remove_snapshot(const Op& op, const model::SnapshotId& id) {
  const auto turn = TRY(queue_.enter(op, id.volume.name()));
  TRY(wait_for_others_snapshots(op, id.volume));
  return bring_to_rest(op, TRY(get_snapshot(op, id)));
}

// From any phase to none.
Result<> ControlPlane::bring_to_rest(const Op& op, const SnapshotRecord& record) {
  if (record->value.phase == model::SnapshotPhase::removing) return finish_snapshot_removal(op, record);
  model::Snapshot removing = record->value;
  removing.phase = model::SnapshotPhase::removing;
  removing.operation = op.request_id();
  removing.message.clear();
  removing.changed_at = parts_.clock.wall();
  TRY(presence_.announce(op));
  removing.worker = presence_.name();
  catalog::Edit edit;
  edit.require(record).put(parts_.catalog.snapshots, removing);
  const auto revision = parts_.catalog.commit(op, std::move(edit));
  if (!revision && revision.error().code == Code::conflict)
    return make_error(
        Code::conflict,
        fmt::format("snapshot '{}' was changed meanwhile: look at it and try again", removing.id.text()));
  const auto pending = catalog::as_committed(std::move(removing), TRY(revision));
  TRY(faults::hit(Fault::snapshot_removing));
  auto removed = finish_snapshot_removal(op, pending);
  const bool was_ready = record->value.phase == model::SnapshotPhase::ready;
  if (removed || !was_ready || removed.error().code != Code::busy || removed.error().effect != Effect::none)
    return removed;
  // Somebody needs it, and nothing was changed.
  model::Snapshot kept = record->value;
  kept.changed_at = parts_.clock.wall();
  catalog::Edit back;
  back.require(pending).put(parts_.catalog.snapshots, std::move(kept));
  TRY(parts_.catalog.commit(op.for_cleanup(kSettleTimeout), std::move(back)));
  return removed;
}

Result<> ControlPlane::finish_snapshot_removal(const Op& op, const SnapshotRecord& record) {
  const std::string name = record->value.id.text();
  TRY_CTX(remove_from_storage(op, record->value), "removing snapshot '{}'", name);
  TRY(faults::hit(Fault::snapshot_removed));
  catalog::Edit edit;
  edit.require(record).erase(parts_.catalog.snapshots, name);
  const auto erased = parts_.catalog.commit(op, std::move(edit));
  if (!erased && erased.error().code == Code::conflict) {
    // Two may finish it; it is gone either way.
    TRY(parts_.catalog.refresh(op, parts_.catalog.snapshots, name));
    const auto now = parts_.catalog.snapshots.find(name);
    if (!now || now->value.uid != record->value.uid) return {};
  }
  TRY(erased);
  return faults::hit(Fault::snapshot_forgotten);
}

// With its volume the snapshot went, too; whether that is so the store knows, and not the cache.
Result<> ControlPlane::remove_from_storage(const Op& op, const model::Snapshot& snapshot) {
  if (is_orphan(snapshot) && !TRY(has_volume(op, snapshot))) return {};
  const auto volume = TRY(get_volume(op, snapshot.id.volume));
  auto& snapshots = *TRY(snapshots_of(volume->value));
  TRY(snapshots.remove_snapshot(op, {executor::key_of(volume->value), snapshot.id.name.str(), snapshot.uid}));
  return {};
}

Result<backend::Snapshots*> ControlPlane::snapshots_of(const model::Volume& volume) const {
  const auto backend = parts_.backends.find(volume.options.backend);
  if (backend == parts_.backends.end())
    return make_error(Code::unavailable,
                      fmt::format("backend '{}' is not one of this server", volume.options.backend));
  if (auto* const snapshots = backend->second->snapshots(); snapshots != nullptr && !volume.node)
    return snapshots;
  return make_error(Code::unsupported,
                    fmt::format("backend '{}' takes no snapshots", volume.options.backend));
}

// The records of what goes, or went, with the volume; not those of a later one of its name.
Result<> ControlPlane::forget_snapshots(const Op& op, const model::Volume& volume) {
  service::Page<model::Snapshot> page;
  do {
    page = parts_.catalog.snapshots.list(volume.id.name() + "/", page.next, kBatch);
    std::erase_if(page.items, [&](const auto& record) { return record->value.volume_uid != volume.uid; });
    TRY(forget_records(op, page.items));
  } while (!page.next.empty());
  return {};
}

// A snapshot may have been recorded by another volmaster when this one forgot those of a volume and did not
// know yet. A page of them in each step.
Result<> ControlPlane::forget_orphans(const Op& op) {
  const auto page = parts_.catalog.snapshots.list("", orphans_after_, kPage);
  orphans_after_ = page.next;
  for (const auto& record : page.items) {
    if (record->value.phase != model::SnapshotPhase::ready || !is_orphan(record->value)) continue;
    if (!TRY(has_volume(op, record->value))) TRY(forget_records(op, {record}));
  }
  return {};
}

// Those that were changed meanwhile stay: forget_orphans() looks at them again.
Result<> ControlPlane::forget_records(const Op& op, const std::vector<SnapshotRecord>& records) {
  if (records.empty()) return {};
  catalog::Edit edit;
  for (const auto& record : records)
    edit.require(record).erase(parts_.catalog.snapshots, record->value.id.text());
  const auto erased = parts_.catalog.commit(op, std::move(edit));
  if (!erased && erased.error().code != Code::conflict) return erased.error();
  return {};
}

}  // namespace volplugin::control
