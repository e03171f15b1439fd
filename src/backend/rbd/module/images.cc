// SPDX-License-Identifier: Apache-2.0
// Images and their snapshots.
#include "backend/rbd/module/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

namespace volplugin::backend {
namespace {

struct SnapshotList {
  std::vector<rbd_snap_info_t> infos;
  int count = 0;
  ~SnapshotList() {
    if (count > 0) rbd_snap_list_end(infos.data());
  }
};

int add_extent(std::uint64_t, size_t length, int exists, void* sum) {
  if (exists != 0) *static_cast<std::uint64_t*>(sum) += length;
  return 0;
}

int ignore_progress(std::uint64_t, std::uint64_t, void*) {
  return 0;
}

// Whether it is protected or has clones: 1 or 0; a negative errno on failure. What the image shows afterwards
// is that snapshot.
int is_needed(rbd_image_t image, const rbd_snap_info_t& snapshot) {
  int is_protected = 0;
  // One that was removed while it had clones has no name to ask by.
  const int asked = rbd_snap_is_protected(image, snapshot.name, &is_protected);
  if (asked < 0 && asked != -ENOENT) return asked;
  if (is_protected != 0) return 1;
  if (const int failed = rbd_snap_set_by_id(image, snapshot.id); failed < 0) return failed;
  size_t room = 0;
  const int listed = rbd_list_children3(image, nullptr, &room);
  if (listed == -ERANGE) return 1;
  return listed;
}

// Fills `list`; a negative errno on failure. More snapshots may come between two tries.
int read_snapshots(rbd_image_t image, SnapshotList& list) {
  for (int room = 16;; room *= 2) {
    list.infos.resize(size_t(room));
    const int count = rbd_snap_list(image, list.infos.data(), &room);
    if (count == -ERANGE) continue;
    if (count > 0) list.count = count;
    return count;
  }
}

}  // namespace

Result<> LibrbdConnection::create_image(const std::string& pool, const std::string& image, Bytes size,
                                        std::uint64_t features) {
  const auto handle = TRY(pool_of(pool));
  rbd_image_options_t options = nullptr;
  rbd_image_options_create(&options);
  rbd_image_options_set_uint64(options, RBD_IMAGE_OPTION_FEATURES, features);
  const int failed = rbd_create4(handle.get(), image.c_str(), size.count, options);
  rbd_image_options_destroy(options);
  if (failed == -EEXIST)
    return make_error(Code::already_exists, fmt::format("image '{}/{}' exists", pool, image));
  if (failed < 0) return failure(failed, fmt::format("making image '{}/{}'", pool, image), Effect::unknown);
  return {};
}

Result<std::optional<CephImage>> LibrbdConnection::find_image(const std::string& pool,
                                                              const std::string& image) {
  const auto handle = TRY(open_image(pool, image, Access::read_only));
  if (!handle) return std::optional<CephImage>();
  CephImage found;
  std::array<char, 128> id{};
  std::uint8_t is_old = 0;
  if (rbd_get_old_format(handle->get(), &is_old) >= 0 && is_old != 0) return old_format(pool, image);
  int failed = rbd_get_id(handle->get(), id.data(), id.size());
  if (failed >= 0) failed = rbd_get_size(handle->get(), &found.size.count);
  rbd_snap_info_t end{};  // room for none: librbd ends its list with an empty one
  int room = 1;
  const int listed = failed < 0 ? 0 : rbd_snap_list(handle->get(), &end, &room);
  if (listed < 0 && listed != -ERANGE) failed = listed;
  if (failed < 0) return failure(failed, fmt::format("looking at image '{}/{}'", pool, image));
  found.id = id.data();
  found.has_snapshots = listed == -ERANGE;
  return std::optional(std::move(found));
}

Result<std::vector<std::string>> LibrbdConnection::image_names(const std::string& pool) {
  const auto handle = TRY(pool_of(pool));
  std::vector<std::string> names;
  for (size_t room = 1024;; room *= 2) {
    std::vector<rbd_image_spec_t> specs(room);
    size_t count = room;
    const int failed = rbd_list2(handle.get(), specs.data(), &count);
    if (failed == -ERANGE) continue;
    if (failed < 0) return failure(failed, fmt::format("listing the images of pool '{}'", pool));
    for (size_t i = 0; i < count; ++i) names.emplace_back(specs[i].name);
    rbd_image_spec_list_cleanup(specs.data(), count);
    return names;
  }
}

Result<std::uint64_t> LibrbdConnection::features(const std::string& pool, const std::string& image) {
  const auto opened = TRY(need_image(pool, image, Access::read_only));
  std::uint64_t features = 0;
  if (const int failed = rbd_get_features(opened.get(), &features); failed < 0)
    return failure(failed, fmt::format("looking at the features of image '{}/{}'", pool, image));
  return features;
}

Result<> LibrbdConnection::enable_features(const std::string& pool, const std::string& image,
                                           std::uint64_t features) {
  const auto opened = TRY(need_image(pool, image, Access::read_write));
  const int failed = rbd_update_features(opened.get(), features, 1);
  if (failed < 0 && failed != -EINVAL)  // what it says of those that are enabled already
    return failure(failed, fmt::format("enabling features of image '{}/{}'", pool, image), Effect::unknown);
  std::uint64_t has = 0;
  if (const int asked = rbd_get_features(opened.get(), &has); asked < 0 || (has & features) != features)
    return failure(asked < 0 ? asked : -EINVAL,
                   fmt::format("enabling features of image '{}/{}'", pool, image), Effect::unknown);
  return {};
}

Result<std::string> LibrbdConnection::read(const std::string& pool, const std::string& image, Bytes offset,
                                           Bytes length) {
  const auto opened = TRY(need_image(pool, image, Access::read_only));
  std::string content(length.count, '\0');
  const ssize_t got = rbd_read(opened.get(), offset.count, content.size(), content.data());
  if (got < 0) return failure(int(got), fmt::format("reading image '{}/{}'", pool, image));
  content.resize(size_t(got));
  return content;
}

Result<Bytes> LibrbdConnection::used(const std::string& pool, const std::string& image) {
  const auto opened = TRY(need_image(pool, image, Access::read_only));
  std::uint64_t size = 0, sum = 0;
  int failed = rbd_get_size(opened.get(), &size);
  if (failed >= 0) failed = rbd_diff_iterate2(opened.get(), nullptr, 0, size, 1, 1, add_extent, &sum);
  if (failed < 0) return failure(failed, fmt::format("measuring image '{}/{}'", pool, image));
  return Bytes{sum};
}

Result<> LibrbdConnection::remove_image(const std::string& pool, const std::string& image) {
  const auto handle = TRY(pool_of(pool));
  const int failed = rbd_remove(handle.get(), image.c_str());
  if (failed == -ENOENT)
    return make_error(Code::not_found, fmt::format("image '{}/{}' does not exist", pool, image));
  if (failed == -EBUSY || failed == -ENOTEMPTY)
    return make_error(Code::busy,
                      fmt::format("image '{}/{}' is open somewhere or has snapshots", pool, image));
  if (failed < 0) return failure(failed, fmt::format("removing image '{}/{}'", pool, image), Effect::unknown);
  return {};
}

// A name whose image has no header is removed like an image; an image is in the trash while it is removed.
Result<> LibrbdConnection::clear_remains(const std::string& pool, const std::string& image,
                                         const std::string& id) {
  const auto handle = TRY(pool_of(pool));
  int failed = rbd_remove(handle.get(), image.c_str());
  if ((failed >= 0 || failed == -ENOENT) && !id.empty())
    failed = rbd_trash_remove(handle.get(), id.c_str(), true);
  if (failed >= 0 || failed == -ENOENT) return {};
  return failure(failed, fmt::format("clearing away what is left of image '{}/{}'", pool, image),
                 Effect::unknown);
}

Result<std::optional<std::string>> LibrbdConnection::lock_owner(const std::string& pool,
                                                                const std::string& image) {
  const auto opened = TRY(open_image(pool, image, Access::read_only));
  if (!opened) return std::optional<std::string>();
  // What the lock's object says: rbd_lock_get_owners() takes no image that is open read-only.
  int exclusive = 0;
  std::array<char, 256> tag{}, clients{}, cookies{}, addresses{};  // an exclusive lock has one owner
  size_t tag_size = tag.size(), clients_size = clients.size(), cookies_size = cookies.size(),
         addresses_size = addresses.size();
  const ssize_t count =
      rbd_list_lockers(opened->get(), &exclusive, tag.data(), &tag_size, clients.data(), &clients_size,
                       cookies.data(), &cookies_size, addresses.data(), &addresses_size);
  if (count < 0)
    return failure(int(count), fmt::format("looking who has the lock of image '{}/{}'", pool, image));
  if (count == 0) return std::optional<std::string>();
  return std::optional<std::string>(addresses.data());
}

Result<> LibrbdConnection::break_lock(const std::string& pool, const std::string& image,
                                      const std::string& owner) {
  const auto opened = TRY(need_image(pool, image, Access::read_write));
  const int failed = rbd_lock_break(opened.get(), RBD_LOCK_MODE_EXCLUSIVE, owner.c_str());
  if (failed < 0 && failed != -ENOENT && failed != -EBUSY)
    return failure(failed, fmt::format("breaking the lock of image '{}/{}'", pool, image), Effect::unknown);
  return {};
}

Result<> LibrbdConnection::blocklist(const std::string& client, std::chrono::seconds time) {
  std::string address = client;
  int failed = rados_blocklist_add(cluster_, address.data(), std::uint32_t(time.count()));
  // What we do next carries that map, and so makes every OSD that we reach have it.
  if (failed >= 0) failed = rados_wait_for_latest_osdmap(cluster_);
  if (failed < 0) return failure(failed, fmt::format("blocklisting client {}", client), Effect::unknown);
  return {};
}

Result<std::vector<CephSnapshot>> LibrbdConnection::snapshots(const std::string& pool,
                                                              const std::string& image) {
  std::vector<CephSnapshot> found;
  const auto opened = TRY(open_image(pool, image, Access::read_only));
  if (!opened) return found;
  SnapshotList list;
  const int count = read_snapshots(opened->get(), list);
  if (count < 0) return failure(count, fmt::format("listing the snapshots of image '{}/{}'", pool, image));
  for (int i = 0; i < count; ++i) {
    const auto& info = list.infos[size_t(i)];
    timespec taken{};
    if (const int failed = rbd_snap_get_timestamp(opened->get(), info.id, &taken); failed < 0)
      return failure(failed, fmt::format("reading the time of snapshot '{}'", info.name));
    const auto since = std::chrono::seconds(taken.tv_sec) + std::chrono::nanoseconds(taken.tv_nsec);
    const int needed = is_needed(opened->get(), info);
    if (needed < 0) return failure(needed, fmt::format("looking for clones of snapshot '{}'", info.name));
    found.push_back({info.name, Bytes{info.size}, WallTime(std::chrono::floor<Millis>(since)), needed != 0});
  }
  return found;
}

Result<> LibrbdConnection::take_snapshot(const std::string& pool, const std::string& image,
                                         const std::string& id, const std::string& snapshot) {
  const auto opened = TRY(need_image(pool, image, Access::read_write));
  std::array<char, 128> found{};
  if (const int failed = rbd_get_id(opened.get(), found.data(), found.size()); failed < 0)
    return failure(failed, fmt::format("looking at image '{}/{}'", pool, image));
  if (id != found.data())
    return make_error(Code::not_found, fmt::format("image '{}/{}' is another one by now", pool, image));
  // Nobody who has it open is asked to quiesce: that is for clients of librbd that serve devices by rbd-nbd.
  const int failed = rbd_snap_create2(opened.get(), snapshot.c_str(), RBD_SNAP_CREATE_SKIP_QUIESCE,
                                      ignore_progress, nullptr);
  if (failed >= 0) return {};
  return failure(failed, fmt::format("taking snapshot '{}' of image '{}/{}'", snapshot, pool, image),
                 failed == -EEXIST || failed == -EROFS ? Effect::none : Effect::unknown);
}

Result<> LibrbdConnection::remove_snapshot(const std::string& pool, const std::string& image,
                                           const std::string& snapshot) {
  const auto opened = TRY(need_image(pool, image, Access::read_write));
  const int failed = rbd_snap_remove(opened.get(), snapshot.c_str());
  if (failed < 0)
    return failure(
        failed, fmt::format("removing snapshot '{}' of image '{}/{}'", snapshot, pool, image),
        failed == -EBUSY || failed == -ENOENT || failed == -EROFS ? Effect::none : Effect::unknown);
  return {};
}

}  // namespace volplugin::backend
