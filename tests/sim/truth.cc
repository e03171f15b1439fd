// SPDX-License-Identifier: Apache-2.0
#include "truth.h"

#include "catalog/codec.h"

#include <algorithm>

namespace volplugin::sim {
namespace {

template <class T>
std::optional<std::string> name_in(const std::string& key) {
  const std::string folder = catalog::Codec<T>::kFolder;
  if (!key.starts_with(folder)) return std::nullopt;
  return key.substr(folder.size());
}

}  // namespace

std::string Truth::volume_of(const std::string& uid) const {
  std::string name = storage_.images.at(uid).image;
  name[name.find('.')] = '/';
  return name;
}

void Truth::violated(const std::string& what) {
  if (!violation_) violation_ = what;
}

void Truth::changed(const kv::Event& event) {
  if (const auto name = name_in<model::Volume>(event.key)) volume_changed(*name, event);
  if (const auto name = name_in<model::Mount>(event.key)) mount_changed(*name, event);
  if (const auto name = name_in<model::Snapshot>(event.key)) snapshot_changed(*name, event);
  if (const auto name = name_in<model::Session>(event.key)) session_changed(*name, event);
}

std::string Truth::describe(const std::string& key) const {
  if (const auto name = name_in<model::Volume>(key)) {
    const auto found = volumes_.find(*name);
    if (found != volumes_.end())
      return fmt::format("{} uid {}", to_string(found->second.phase), found->second.uid.substr(0, 4));
  }
  if (const auto name = name_in<model::Mount>(key)) {
    const auto found = mounts_.find(*name);
    if (found != mounts_.end())
      return fmt::format("{} on {} session {}", to_string(found->second.phase), found->second.node.str(),
                         found->second.session);
  }
  if (const auto name = name_in<model::Session>(key))
    if (const auto found = sessions_.find(*name); found != sessions_.end()) return found->second;
  if (const auto name = name_in<model::Snapshot>(key))
    if (const auto found = snapshots_.find(*name); found != snapshots_.end())
      return fmt::format("{} uid {}", to_string(found->second.phase), found->second.uid.substr(0, 4));
  return key.starts_with("volumes/") || key.starts_with("snapshots/") || key.starts_with("mounts/") ||
                 key.starts_with("sessions/")
             ? "gone"
             : "changed";
}

void Truth::volume_changed(const std::string& name, const kv::Event& event) {
  volumes_.erase(name);
  if (!event.value) return;
  auto volume = *catalog::Codec<model::Volume>::decode(name, *event.value);
  if (volume.phase == model::Phase::ready) ever_ready_.insert(volume.uid);
  volumes_.emplace(name, std::move(volume));
}

// INV-2: the fencing number of a volume only grows, and does with every new holder. INV-3: a mount is taken,
// or taken again, under the session that its node has at that moment.
void Truth::mount_changed(const std::string& name, const kv::Event& event) {
  const auto before = mounts_.find(name);
  const std::string node_before = before == mounts_.end() ? "" : before->second.node.str();
  const std::string session_before = before == mounts_.end() ? "" : before->second.session;
  if (before != mounts_.end()) mounts_.erase(before);
  if (!event.value) return;
  auto mount = *catalog::Codec<model::Mount>::decode(name, *event.value);
  catalog::settle(mount, event.revision.value);
  auto& highest = fencing_[name];
  const bool new_holder = mount.node.str() != node_before;
  if (mount.fencing < highest || (new_holder && mount.fencing == highest))
    violated(fmt::format("INV-2: the fencing number of '{}' is {} after {}", name, mount.fencing, highest));
  highest = std::max(highest, mount.fencing);
  const auto session = sessions_.find(mount.node.str());
  const bool taken = new_holder || mount.session != session_before;
  if (taken && (session == sessions_.end() || session->second != mount.session))
    violated(fmt::format("INV-3: {} took '{}' under session {}, which has ended", mount.node.str(), name,
                         mount.session));
  mounts_.emplace(name, std::move(mount));
}

void Truth::session_changed(const std::string& node, const kv::Event& event) {
  std::string id;
  if (event.value) id = catalog::Codec<model::Session>::decode(node, *event.value)->id;
  const auto before = sessions_.find(node);
  if (before != sessions_.end() && before->second != id) ++session_ends_[node];
  if (event.value)
    sessions_[node] = id;
  else
    sessions_.erase(node);
}

void Truth::formatting(const std::string& uid) {
  if (ever_ready_.contains(uid)) violated("INV-6: a volume that was ready is formatted again");
}

void Truth::created(const model::Volume& volume, std::uint64_t removes) {
  const std::string name = volume.id.name();
  if (removes_[name] == removes && removes_under_way_[name] == 0) promised_[name] = volume.uid;
}

std::string Truth::begin_remove(const std::string& volume) {
  ++removes_[volume];
  ++removes_under_way_[volume];
  std::erase_if(promised_snapshots_,
                [&](const auto& entry) { return entry.first.starts_with(volume + "/"); });
  const auto found = promised_.find(volume);
  std::string uid = found == promised_.end() ? "" : found->second;
  promised_.erase(volume);
  return uid;
}

// A remove that was refused changed nothing: the promise holds on.
void Truth::end_remove(const std::string& volume, const std::string& promised_uid) {
  if (--removes_under_way_[volume] > 0 || promised_uid.empty()) return;
  const auto record = volumes_.find(volume);
  if (record != volumes_.end() && record->second.uid == promised_uid &&
      record->second.phase == model::Phase::ready)
    promised_[volume] = promised_uid;
}

void Truth::mounted(const Host& host, const std::string& volume, std::uint64_t ends) {
  if (session_ends_[host.name] != ends) return;
  const auto record = mounts_.find(volume);
  if (record == mounts_.end() || record->second.node.str() != host.name)
    violated(fmt::format("INV-2: '{}' was mounted on {}, whose session lives, without a record of that",
                         volume, host.name));
}

void Truth::check() {
  check_writers();
  check_mounts();
  check_images();
  check_promises();
  check_found();
  check_snapshots();
}

// INV-2, INV-4: who can write a volume is the host that mounted it last. Anybody else has an old picture of
// the file system.
void Truth::check_writers() {
  for (const auto& host : hosts_)
    for (const auto& uid : host.kernel.uids_in_use())
      if (storage_.can_write(host.name, uid) && storage_.latest_mount[uid] != host.name)
        violated(fmt::format("INV-4: {} still writes '{}', which {} has mounted since", host.name,
                             storage_.images[uid].image, storage_.latest_mount[uid]));
}

// INV-6: what is mounted is not removed, and what is being removed is not mounted.
void Truth::check_mounts() {
  for (const auto& [name, mount] : mounts_) {
    const auto volume = volumes_.find(name);
    if (volume == volumes_.end() || volume->second.uid != mount.volume_uid)
      violated(fmt::format("INV-6: '{}' is mounted on {} and has no record", name, mount.node.str()));
    else if (volume->second.phase != model::Phase::ready)
      violated(fmt::format("INV-6: '{}' is mounted on {} and {}", name, mount.node.str(),
                           to_string(volume->second.phase)));
  }
}

// INV-1: storage without a record would never be found again.
void Truth::check_images() {
  const auto recorded = [&](const std::string& uid) {
    return std::ranges::any_of(volumes_, [&](const auto& entry) { return entry.second.uid == uid; });
  };
  // One that was overtaken while it was frozen finds out, and cleans up, with its next commit.
  for (const auto& uid : storage_.present)
    if (!recorded(uid) && !at_work(volume_of(uid)) && volume_of(uid) != kFoundVolume)
      violated(fmt::format("INV-1: an image of '{}' has no record (uid {})", storage_.images[uid].image,
                           uid.substr(0, 4)));
  for (const auto& [name, volume] : volumes_)
    if (volume.phase == model::Phase::ready && !storage_.present.contains(volume.uid))
      violated(fmt::format("INV-1: '{}' is ready and has no image", name));
}

// INV-6: what was acknowledged is there, with what was written to it.
void Truth::check_promises() {
  for (const auto& [name, uid] : promised_) {
    const auto record = volumes_.find(name);
    if (record == volumes_.end() || record->second.uid != uid)
      violated(fmt::format("INV-6: '{}' was created and never removed, and has no record", name));
    else if (record->second.phase != model::Phase::ready)
      violated(fmt::format("INV-6: '{}' was created and never removed, and is {}", name,
                           to_string(record->second.phase)));
    else if (!storage_.present.contains(uid) || !storage_.formatted.contains(uid))
      violated(fmt::format("INV-6: '{}' lost its data, {} writes", name, storage_.writes[uid]));
  }
}

// INV-6: an image of somebody else is never deleted, whatever becomes of its adoption, and no volume is ready
// whose image is not its own.
void Truth::check_found() {
  const auto image = storage_.cluster->inspect("", kFoundImage);
  if (!image || *storage_.cluster->read(kFoundImage, {}, Bytes{4096}) != found_content())
    return violated("INV-6: the image of somebody else is gone, or is not what it was");
  const auto volume = volumes_.find(kFoundVolume);
  if (volume != volumes_.end() && volume->second.phase == model::Phase::ready &&
      volume->second.uid != image->uid)
    violated(fmt::format("INV-6: '{}' is ready with uid {}, and its image carries '{}'", kFoundVolume,
                         volume->second.uid.substr(0, 4), image->uid.substr(0, 4)));
}

void Truth::check_rest() {
  check_snapshots_at_rest();
  // One that was forgotten may keep its image; an adoption that did not succeed has given it back.
  const std::string owner = storage_.cluster->inspect("", kFoundImage)->uid;
  if (owner != kFoundImage.uid && !ever_ready_.contains(owner))
    violated(fmt::format("at rest: the image of '{}' keeps the uid {} of no volume", kFoundVolume, owner));
  for (const auto& [name, volume] : volumes_)
    if (volume.phase != model::Phase::ready)
      violated(fmt::format("at rest: '{}' stays {}: {}", name, to_string(volume.phase), volume.message));
  for (const auto& [name, mount] : mounts_)
    violated(fmt::format("at rest: '{}' stays {} on {} without a user: {}", name, to_string(mount.phase),
                         mount.node.str(), mount.message));
}

}  // namespace volplugin::sim
