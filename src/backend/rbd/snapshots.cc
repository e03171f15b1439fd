// SPDX-License-Identifier: Apache-2.0
// Snapshots of images. Ceph shows them as "name.uid": by the uid it is known which are volplugin's, and a
// call that comes late never meets a later one of the same name.
#include "backend/rbd/rbd_calls.h"
#include "backend/rbd/snapshot_name.h"

namespace volplugin::backend {
namespace {

Error no_image(const ImageKey& key) {
  return make_error(Code::not_found, fmt::format("image '{}' does not exist", name_of(key)));
}

// Whose lock is kept: krbd's that mapped it with `exclusive` (docs/backends/ceph.md).
Error locked(const ImageKey& key, const Error& said) {
  return make_error(
      Code::busy,
      fmt::format("{}: a kernel that has image '{}' mapped keeps its lock; try again when no container uses "
                  "the volume, or give volplugin the backend option ceph.exclusive=false",
                  said.message, name_of(key)));
}

}  // namespace

Result<> RbdBackend::check_snapshot(const SnapshotKey& key) const {
  TRY(check_key(key.image));
  return check_snapshot_words(key.name, key.uid);
}

Result<Ensured> RbdBackend::take_snapshot(const Work& work, const SnapshotKey& key) {
  const auto notes = TRY(read_notes(work));
  if (!notes.owned_by(work.key.uid) || notes.owner->image_id.empty()) {
    const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
    if (!id) return no_image(work.key);
    TRY(require_ours(work.key, notes, *id));
  }
  const auto taken =
      work.ceph.take_snapshot(work.key.pool, work.key.image, notes.owner->image_id, snapshot_name(key));
  if (taken) return Ensured::created;
  if (taken.error().code == Code::already_exists) return Ensured::already_there;
  if (taken.error().code == Code::busy) return locked(work.key, taken.error());
  return taken.error();
}

Result<Removed> RbdBackend::drop_snapshot(const Work& work, const SnapshotKey& key) {
  const auto notes = TRY(read_notes(work));
  if (!notes.owned_by(work.key.uid)) return Removed::already_gone;  // with the image
  const auto removed = work.ceph.remove_snapshot(work.key.pool, work.key.image, snapshot_name(key));
  if (removed) return Removed::removed;
  if (removed.error().code == Code::not_found) return Removed::already_gone;
  if (removed.error().code != Code::busy) return removed.error();
  for (const auto& snapshot : TRY(work.ceph.snapshots(work.key.pool, work.key.image)))
    if (snapshot.name == snapshot_name(key) && snapshot.needed)
      return make_error(Code::busy, fmt::format("it is protected or has clones: see rbd children {}@{}",
                                                name_of(work.key), snapshot.name));
  return locked(work.key, removed.error());
}

Result<std::vector<SnapshotInfo>> RbdBackend::snapshots_in(const Work& work) {
  std::vector<SnapshotInfo> found;
  const auto notes = TRY(read_notes(work));
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  if (!id) return found;
  TRY(require_ours(work.key, notes, *id));
  for (const auto& snapshot : TRY(work.ceph.snapshots(work.key.pool, work.key.image)))
    if (auto words = parse_snapshot_name(snapshot.name))
      found.push_back({std::move(words->name), std::move(words->uid), snapshot.size});
  return found;
}

Result<Ensured> RbdBackend::ensure_snapshot(const Op& op, const SnapshotKey& key) {
  TRY(check_snapshot(key));
  return run_connected(op, key.image, "taking a snapshot",
                       [key](const Work& work) { return take_snapshot(work, key); });
}

Result<Removed> RbdBackend::remove_snapshot(const Op& op, const SnapshotKey& key) {
  TRY(check_snapshot(key));
  return run_connected(op, key.image, "removing a snapshot",
                       [key](const Work& work) { return drop_snapshot(work, key); });
}

Result<std::vector<SnapshotInfo>> RbdBackend::list_snapshots(const Op& op, const ImageKey& image) {
  return run_connected(op, image, "listing snapshots", [](const Work& work) { return snapshots_in(work); });
}

}  // namespace volplugin::backend
