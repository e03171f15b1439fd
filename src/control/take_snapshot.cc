// SPDX-License-Identifier: Apache-2.0
// Take: record `taking` -> the storage keeps what the image holds -> record `ready`. See
// model::SnapshotPhase.
#include "base/faults.h"
#include "control/control_plane.h"
#include "executor/executor.h"
#include "os/uuid.h"

namespace volplugin::control {
namespace {

constexpr int kMaxTries = 8;
constexpr Millis kLookAgain{20};

// "2026-11-20T12:00:00.123Z", as far as a name may have it.
Result<model::SnapshotName> name_of_time(WallTime time) {
  std::string name = format_rfc3339(time);
  std::erase_if(name, [](char c) { return c == ':' || c == '-'; });
  return model::SnapshotTag::parse(name);
}

}  // namespace

Result<model::Record<model::Snapshot>> ControlPlane::take_snapshot(const Op& op,
                                                                   const service::TakeSnapshot& request) {
  const auto turn = TRY(queue_.enter(op, request.volume.name()));
  const model::SnapshotId id{request.volume,
                             request.name ? *request.name : TRY(name_of_time(parts_.clock.wall()))};
  for (int tries = 1;; ++tries) {
    TRY(wait_for_others_snapshots(op, id.volume));
    const auto volume = TRY(volume_to_snapshot(op, id.volume));
    TRY_CTX(snapshots_of(volume->value), "volume '{}'", id.volume.name());
    if (auto taken = TRY(clear_way_to_take(op, id))) return taken;
    auto recorded = record_taking(op, volume, id);
    if (recorded) return TRY_CTX(take_recorded(op, volume, *recorded), "taking snapshot '{}'", id.text());
    // Another volmaster changed the volume, or was first, of which our cache did not know yet.
    if (recorded.error().code != Code::conflict || tries == kMaxTries) return recorded;
    TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, id.volume.name()));
    TRY(parts_.catalog.refresh(op, parts_.catalog.snapshots, id.text()));
  }
}

Result<model::Record<model::Volume>> ControlPlane::volume_to_snapshot(const Op& op,
                                                                      const model::VolumeId& id) {
  auto volume = TRY(get_volume(op, id));
  if (volume->value.phase != model::Phase::ready)
    return make_error(Code::busy, fmt::format("volume '{}' is {}: nothing can be kept of it", id.name(),
                                              to_string(volume->value.phase)));
  // What a host that is not heard of has under way may still reach the image, also after the snapshot.
  const auto mount = parts_.catalog.mounts.find(id.name());
  if (mount && is_stale(mount->value))
    return make_error(
        Code::busy, fmt::format("volume '{0}' is held by node '{1}', which is lost: mount it on another one, "
                                "or see 'volcli mount force-remove {0}', first",
                                id.name(), mount->value.node.str()));
  return volume;
}

// One volmaster at a time takes or removes snapshots of a volume: as for any change of it, but what another
// one does may still be under way when its volume is at rest.
Result<> ControlPlane::wait_for_others_snapshots(const Op& op, const model::VolumeId& id) {
  for (;;) {
    SnapshotRecord in_work;
    for (const auto& record : parts_.catalog.snapshots.list_not_at_rest())
      if (record->value.id.volume == id && TRY(presence_.other_is_there(op, record->value.worker)))
        in_work = record;
    if (!in_work) return {};
    if (!op.sleep(kLookAgain))
      return make_error(Code::busy, fmt::format("snapshot '{}' is {}, by another volmaster",
                                                in_work->value.id.text(), to_string(in_work->value.phase)));
  }
}

// Null: the name is free. Else the snapshot that this very request took before.
Result<model::Record<model::Snapshot>> ControlPlane::clear_way_to_take(const Op& op,
                                                                       const model::SnapshotId& id) {
  // One that only the cache still knows must not be acknowledged.
  if (!settings_.alone && parts_.catalog.snapshots.find(id.text()))
    TRY(parts_.catalog.refresh(op, parts_.catalog.snapshots, id.text()));
  auto existing = parts_.catalog.snapshots.find(id.text());
  if (!existing) return SnapshotRecord();
  const model::Snapshot& snapshot = existing->value;
  // Nor one whose volume is going or gone.
  if (snapshot.phase == model::SnapshotPhase::ready && TRY(has_volume(op, snapshot))) {
    TRY(volume_to_snapshot(op, id.volume));
    if (snapshot.operation == op.request_id()) return existing;
    return make_error(Code::already_exists, fmt::format("snapshot '{}' exists already, taken {}", id.text(),
                                                        format_rfc3339(snapshot.taken_at)));
  }
  TRY_CTX(bring_to_rest(op, existing), "clearing away an earlier snapshot '{}'", id.text());
  return SnapshotRecord();
}

Result<model::Record<model::Snapshot>> ControlPlane::record_taking(const Op& op, const VolumeRecord& volume,
                                                                   const model::SnapshotId& id) {
  TRY(presence_.announce(op));
  model::Snapshot snapshot{id, os::new_uuid(), volume->value.uid, volume->value.size};
  snapshot.operation = op.request_id();
  snapshot.worker = presence_.name();
  snapshot.taken_at = snapshot.changed_at = parts_.clock.wall();
  catalog::Edit edit;
  edit.require(volume).require_absent<model::Snapshot>(id.text()).put(parts_.catalog.snapshots, snapshot);
  return catalog::as_committed(std::move(snapshot), TRY(parts_.catalog.commit(op, std::move(edit))));
}

Result<model::Record<model::Snapshot>> ControlPlane::take_recorded(const Op& op, const VolumeRecord& volume,
                                                                   const SnapshotRecord& record) {
  TRY(faults::hit(Fault::snapshot_recorded));
  model::Snapshot snapshot = record->value;
  const auto attempt = [&]() -> Result<SnapshotRecord> {
    TRY(TRY(snapshots_of(volume->value))
            ->ensure_snapshot(op, {executor::key_of(volume->value), snapshot.id.name.str(), snapshot.uid}));
    TRY(faults::hit(Fault::snapshot_taken));
    snapshot.phase = model::SnapshotPhase::ready;
    snapshot.worker.clear();
    snapshot.taken_at = snapshot.changed_at = parts_.clock.wall();
    catalog::Edit edit;
    // The volume as well: one that is being removed takes its snapshots with it.
    edit.require(volume).require(record).put(parts_.catalog.snapshots, snapshot);
    const auto revision = TRY(parts_.catalog.commit(op.for_cleanup(kSettleTimeout), std::move(edit)));
    TRY(faults::hit(Fault::snapshot_acknowledged));
    return catalog::as_committed(std::move(snapshot), revision);
  };
  auto taken = attempt();
  if (taken) return taken;
  Error error = std::move(taken).error();
  const auto undone = undo_taking(op.for_cleanup(kSettleTimeout), record);
  error.effect = undone ? Effect::none : Effect::unknown;
  if (!undone) error.message += "; undoing failed too: " + undone.error().message;
  return error;
}

Result<> ControlPlane::undo_taking(const Op& op, const SnapshotRecord& record) {
  const model::Snapshot& snapshot = record->value;
  auto undone = bring_to_rest(op, record);
  if (undone || undone.error().code != Code::conflict) return undone;
  TRY(parts_.catalog.refresh(op, parts_.catalog.snapshots, snapshot.id.text()));
  const auto now = parts_.catalog.snapshots.find(snapshot.id.text());
  // Recorded after all, though nobody answered.
  if (now && now->value.uid == snapshot.uid && now->value.phase == model::SnapshotPhase::ready) return undone;
  // Another volmaster thought that this one was gone, and may have looked before there was a snapshot.
  auto removed = remove_from_storage(op, snapshot);
  if (removed || now) return removed;
  model::Snapshot left = snapshot;
  left.phase = model::SnapshotPhase::removing;
  left.message = removed.error().message;
  left.worker.clear();
  catalog::Edit edit;
  edit.require_absent<model::Snapshot>(left.id.text()).put(parts_.catalog.snapshots, std::move(left));
  TRY(parts_.catalog.commit(op.for_cleanup(kSettleTimeout), std::move(edit)));
  return removed;
}

}  // namespace volplugin::control
