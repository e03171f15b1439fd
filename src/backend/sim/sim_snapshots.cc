// SPDX-License-Identifier: Apache-2.0
// SimCluster's snapshots.
#include "backend/sim/sim_cluster.h"

#include <algorithm>

namespace volplugin::backend {
namespace {

Error not_there(const ImageKey& key) {
  return make_error(Code::not_found, fmt::format("image '{}/{}' does not exist", key.pool, key.image));
}

Error another_ones(const ImageKey& key) {
  return make_error(Code::permission_denied,
                    fmt::format("image '{}/{}' belongs to somebody else", key.pool, key.image));
}

}  // namespace

SimCluster::Image* SimCluster::owned_locked(const ImageKey& key) {
  const auto found = images_.find(place_of("", key));
  const bool ours = found != images_.end() && found->second.uid == key.uid && !found->second.foreign;
  return ours ? &found->second : nullptr;
}

void SimCluster::protect(const SnapshotKey& key, bool is_needed) {
  const std::lock_guard guard(mutex_);
  if (Image* const image = owned_locked(key.image))
    for (auto& snapshot : image->snapshots)
      if (snapshot.info.uid == key.uid) snapshot.needed = is_needed;
}

Result<Ensured> SimCluster::ensure_snapshot(const SnapshotKey& key) {
  const std::lock_guard guard(mutex_);
  Image* const image = owned_locked(key.image);
  if (image == nullptr)
    return images_.contains(place_of("", key.image)) ? another_ones(key.image) : not_there(key.image);
  if (std::ranges::any_of(image->snapshots, [&](const auto& known) { return known.info.uid == key.uid; }))
    return Ensured::already_there;
  image->snapshots.push_back({{key.name, key.uid, image->size}});
  return Ensured::created;
}

Result<Removed> SimCluster::remove_snapshot(const SnapshotKey& key) {
  const std::lock_guard guard(mutex_);
  Image* const image = owned_locked(key.image);
  if (image == nullptr) return Removed::already_gone;
  const auto found =
      std::ranges::find_if(image->snapshots, [&](const auto& known) { return known.info.uid == key.uid; });
  if (found == image->snapshots.end()) return Removed::already_gone;
  if (found->needed) return make_error(Code::busy, "the snapshot has clones");
  image->snapshots.erase(found);
  return Removed::removed;
}

Result<std::vector<SnapshotInfo>> SimCluster::list_snapshots(const ImageKey& image) const {
  const std::lock_guard guard(mutex_);
  std::vector<SnapshotInfo> infos;
  const auto found = images_.find(place_of("", image));
  if (found == images_.end()) return infos;
  if (found->second.uid != image.uid || found->second.foreign) return another_ones(image);
  for (const auto& snapshot : found->second.snapshots) infos.push_back(snapshot.info);
  return infos;
}

}  // namespace volplugin::backend
