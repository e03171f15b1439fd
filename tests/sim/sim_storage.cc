// SPDX-License-Identifier: Apache-2.0
#include "sim_storage.h"

#include <algorithm>

namespace volplugin::sim {
namespace {

constexpr std::uint64_t kFaultOneIn = 200;

}  // namespace

std::string found_content() {
  std::string content(4096, '\0');
  content[1024 + 56] = '\x53', content[1024 + 57] = '\xef';  // the superblock of an ext2
  return content;
}

std::set<std::string> Kernel::uids_in_use() const {
  std::set<std::string> uids;
  for (const auto& [where, mounted] : mounts) uids.insert(mounted.uid);
  for (const auto& container : containers) uids.insert(container.uid);
  return uids;
}

std::set<std::string> Storage::snapshots_of(const std::string& uid) const {
  std::set<std::string> uids;
  const auto key = images.find(uid);
  if (key == images.end()) return uids;
  if (const auto found = cluster->list_snapshots(key->second))
    for (const auto& snapshot : *found) uids.insert(snapshot.uid);
  return uids;
}

bool Storage::can_write(const std::string& host, const std::string& uid) const {
  const auto key = images.find(uid);
  return key != images.end() && cluster->write(host, key->second).has_value();
}

void Storage::note_device(const std::string& host, const std::string& device, const backend::ImageKey& key) {
  devices_[{host, device}] = key.uid;
}

std::string Storage::uid_on(const std::string& host, const std::string& device) const {
  const auto found = devices_.find({host, device});
  return found == devices_.end() ? "" : found->second;
}

template <class Act>
auto ProcessBackend::call(std::string_view what, Act act) -> decltype(act()) {
  return leave(gate_, process_, what, kFaultOneIn, act);
}

Result<backend::EnsureOutcome> ProcessBackend::ensure(const Op& op, const backend::ImageKey& key,
                                                      Bytes size) {
  return call("making an image", [&] {
    auto made = inner_.ensure(op, key, size);
    if (made) storage_.images.emplace(key.uid, key), storage_.present.insert(key.uid);
    return made;
  });
}

Result<backend::Removed> ProcessBackend::remove(const Op& op, const backend::ImageKey& key) {
  return call("deleting an image", [&] {
    auto removed = inner_.remove(op, key);
    if (removed && *removed == backend::Removed::removed)
      storage_.formatted.erase(key.uid), storage_.present.erase(key.uid);
    return removed;
  });
}

Result<std::optional<backend::ImageInfo>> ProcessBackend::inspect(const Op& op,
                                                                  const backend::ImageKey& key) {
  return call("inspecting an image", [&] { return inner_.inspect(op, key); });
}

Result<std::vector<backend::ImageInfo>> ProcessBackend::list(const Op& op, const std::string& pool) {
  return call("listing images", [&] { return inner_.list(op, pool); });
}

Result<backend::PoolInfo> ProcessBackend::inspect_pool(const Op& op, const std::string& pool) {
  return inner_.inspect_pool(op, pool);
}

Result<std::unique_ptr<backend::Attachment>> ProcessBackend::attach(const Op& op,
                                                                    const backend::ImageKey& key) {
  return call("attaching an image", [&] {
    auto attached = inner_.attach(op, key);
    if (attached) storage_.note_device(host_, (*attached)->device(), key);
    return attached;
  });
}

Result<std::unique_ptr<backend::Attachment>> ProcessBackend::attached_here(const Op& op,
                                                                           const backend::ImageKey& key) {
  return call("looking for a device", [&] { return inner_.attached_here(op, key); });
}

Result<> ProcessBackend::detach(const Op& op, const backend::ImageKey& key,
                                std::unique_ptr<backend::Attachment> attachment) {
  return call("detaching an image", [&] { return inner_.detach(op, key, std::move(attachment)); });
}

Result<backend::Ensured> ProcessBackend::ensure_snapshot(const Op& op, const backend::SnapshotKey& key) {
  return call("taking a snapshot", [&] { return inner_snapshots().ensure_snapshot(op, key); });
}

Result<backend::Removed> ProcessBackend::remove_snapshot(const Op& op, const backend::SnapshotKey& key) {
  return call("removing a snapshot", [&] { return inner_snapshots().remove_snapshot(op, key); });
}

Result<std::vector<backend::SnapshotInfo>> ProcessBackend::list_snapshots(const Op& op,
                                                                          const backend::ImageKey& image) {
  return call("listing snapshots", [&] { return inner_snapshots().list_snapshots(op, image); });
}

Result<> ProcessBackend::fence(const Op& op, const backend::ImageKey& key, const std::string& host) {
  return call("cutting a host off",
              [&] { return static_cast<backend::Backend&>(inner_).fencing()->fence(op, key, host); });
}

Result<> ProcessBackend::lift(const Op& op, const backend::ImageKey& key, const std::string& host) {
  return call("lifting a fence",
              [&] { return static_cast<backend::Backend&>(inner_).fencing()->lift(op, key, host); });
}

Result<backend::FoundImage> ProcessBackend::find_image(const Op& op, const backend::ImageKey& key) {
  return call("looking for an image", [&] { return inner_adoption().find_image(op, key); });
}

Result<std::string> ProcessBackend::read(const Op& op, const backend::ImageKey& key, Bytes offset,
                                         Bytes length) {
  return call("reading an image", [&] { return inner_adoption().read(op, key, offset, length); });
}

Result<> ProcessBackend::adopt(const Op& op, const backend::ImageKey& key, const backend::FoundImage& found) {
  return call("adopting an image", [&] {
    auto adopted = inner_adoption().adopt(op, key, found);
    if (adopted) {
      storage_.present.erase(found.owner);
      storage_.images.emplace(key.uid, key), storage_.present.insert(key.uid);
      storage_.formatted[key.uid] = "somebody else";
    }
    return adopted;
  });
}

Result<> ProcessBackend::release(const Op& op, const backend::ImageKey& key) {
  return call("giving an image back", [&] {
    auto released = inner_adoption().release(op, key);
    if (released) storage_.present.erase(key.uid);
    return released;
  });
}

template <class Act>
auto ProcessFilesystems::call(std::string_view what, Act act) -> decltype(act()) {
  return leave(gate_, process_, what, 2 * kFaultOneIn, act);
}

Result<bool> ProcessFilesystems::is_blank(const Op&, const std::string& device) {
  return call("looking at a device", [&]() -> Result<bool> {
    return !storage_.formatted.contains(storage_.uid_on(kernel_.host, device));
  });
}

Result<std::string> ProcessFilesystems::make(const Op&, const std::string& device, const std::string&) {
  return call("formatting", [&]() -> Result<std::string> {
    const std::string uid = storage_.uid_on(kernel_.host, device);
    if (storage_.on_format) storage_.on_format(uid);
    storage_.formatted[uid] = process_.name;
    return std::string("ext4");
  });
}

Result<> ProcessFilesystems::mount(const Op& op, const std::string& device, const std::string& mount_point,
                                   const std::string&) {
  return call("mounting", [&]() -> Result<> {
    TRY(op.check("mounting"));
    const std::string uid = storage_.uid_on(kernel_.host, device);
    if (!storage_.can_write(kernel_.host, uid))  // a mount replays the file system's journal
      return make_error(Code::unavailable, "the device fails");
    kernel_.mounts[mount_point] = {device, uid, TRY(storage_.cluster->use_device(kernel_.host, device))};
    storage_.latest_mount[uid] = kernel_.host;
    return {};
  });
}

Result<> ProcessFilesystems::unmount(const Op&, const std::string& mount_point) {
  return call("unmounting", [&]() -> Result<> {
    kernel_.mounts.erase(mount_point);
    return {};
  });
}

// As the kernel tells it: no call to anybody else, but one of a process that may be dead.
Result<std::optional<executor::MountedAt>> ProcessFilesystems::mounted(const Op&,
                                                                       const std::string& mount_point) {
  if (process_.dead) return gone(process_, Effect::none);
  const auto found = kernel_.mounts.find(mount_point);
  if (found == kernel_.mounts.end()) return std::optional<executor::MountedAt>();
  return std::optional(executor::MountedAt{found->second.device});
}

Result<bool> ProcessFilesystems::used_elsewhere(const std::string& mount_point) {
  if (process_.dead) return gone(process_, Effect::none);
  const auto found = kernel_.mounts.find(mount_point);
  return found != kernel_.mounts.end() &&
         std::ranges::any_of(kernel_.containers,
                             [&](const Container& container) { return container.uid == found->second.uid; });
}

Result<bool> ProcessFilesystems::expire(const Op&, const std::string& mount_point) {
  if (process_.dead) return gone(process_, Effect::none);
  if (!kernel_.mounts.contains(mount_point)) return true;
  if (kernel_.unused.insert(mount_point).second) return false;
  kernel_.unused.erase(mount_point);
  kernel_.mounts.erase(mount_point);
  return true;
}

}  // namespace volplugin::sim
