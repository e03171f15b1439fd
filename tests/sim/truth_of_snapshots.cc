// SPDX-License-Identifier: Apache-2.0
// What has to hold of snapshots.
#include "catalog/codec.h"
#include "truth.h"

namespace volplugin::sim {

void Truth::snapshot_changed(const std::string& name, const kv::Event& event) {
  snapshots_.erase(name);
  if (event.value) snapshots_.emplace(name, *catalog::Codec<model::Snapshot>::decode(name, *event.value));
}

// Grows with everything that may remove it.
std::uint64_t Truth::snapshot_removes_of(const model::SnapshotId& id) {
  return snapshot_removes_[id.text()] + removes_[id.volume.name()];
}

void Truth::taken(const model::Snapshot& snapshot, std::uint64_t removes) {
  const std::string name = snapshot.id.text();
  if (snapshot_removes_of(snapshot.id) == removes && snapshot_removes_under_way_[name] == 0 &&
      removes_under_way_[snapshot.id.volume.name()] == 0)
    promised_snapshots_[name] = snapshot.uid;
}

void Truth::begin_snapshot_removal(const model::SnapshotId& id) {
  ++snapshot_removes_[id.text()];
  ++snapshot_removes_under_way_[id.text()];
  promised_snapshots_.erase(id.text());
}

// INV-1, INV-6: what is ready is there, and what was acknowledged is ready.
void Truth::check_snapshots() {
  for (const auto& [name, snapshot] : snapshots_) {
    const auto volume = volumes_.find(snapshot.id.volume.name());
    if (snapshot.phase != model::SnapshotPhase::ready || volume == volumes_.end() ||
        volume->second.uid != snapshot.volume_uid || volume->second.phase != model::Phase::ready)
      continue;
    if (!storage_.snapshots_of(snapshot.volume_uid).contains(snapshot.uid))
      violated(fmt::format("INV-1: snapshot '{}' is ready and not there", name));
  }
  for (const auto& [name, uid] : promised_snapshots_) {
    const auto record = snapshots_.find(name);
    if (record == snapshots_.end() || record->second.uid != uid ||
        record->second.phase != model::SnapshotPhase::ready)
      violated(fmt::format("INV-6: snapshot '{}' was taken and never removed, and is not ready", name));
  }
}

// Records and storage agree.
void Truth::check_snapshots_at_rest() {
  std::map<std::string, std::set<std::string>> recorded;  // by the uid of the volume
  for (const auto& [name, snapshot] : snapshots_) {
    const auto volume = volumes_.find(snapshot.id.volume.name());
    if (snapshot.phase != model::SnapshotPhase::ready)
      violated(fmt::format("at rest: snapshot '{}' stays {}: {}", name, to_string(snapshot.phase),
                           snapshot.message));
    else if (volume == volumes_.end() || volume->second.uid != snapshot.volume_uid)
      violated(fmt::format("at rest: snapshot '{}' is of no volume", name));
    recorded[snapshot.volume_uid].insert(snapshot.uid);
  }
  for (const auto& [name, volume] : volumes_)
    if (storage_.snapshots_of(volume.uid) != recorded[volume.uid])
      violated(fmt::format("at rest: '{}' has {} snapshots, and {} are recorded", name,
                           storage_.snapshots_of(volume.uid).size(), recorded[volume.uid].size()));
}

}  // namespace volplugin::sim
