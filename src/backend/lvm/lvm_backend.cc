// SPDX-License-Identifier: Apache-2.0
// Making and removing volumes; lvm_devices.cc has the rest.
#include "backend/lvm/lvm_backend.h"

#include "backend/lvm/lvm_parts.h"
#include "os/block_device.h"
#include "os/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <unistd.h>

namespace volplugin::backend {
namespace {

constexpr Bytes kExtent = Bytes::mib(4);  // LVM's default; groups with larger extents round up further
// os::Probe calls a device blank when its first 128 KiB are zero; lvcreate clears 4 KiB and signatures.
constexpr Bytes kCleared = Bytes::mib(1);
constexpr size_t kRemembered = 100'000;

std::string percent(double value) {
  return fmt::format("{:.1f}%", value);
}

// Freed space is given out again as it was left.
Result<> clear_start(const std::string& device, Bytes size) {
  const os::FileDescriptor file = TRY(os::open_file(device, O_WRONLY));
  static constexpr std::array<char, 1 << 16> kZeros{};
  const std::uint64_t end = std::min(size, kCleared).count;
  for (std::uint64_t at = 0; at < end;) {
    const size_t length = std::min<std::uint64_t>(kZeros.size(), end - at);
    const ssize_t written = ::pwrite(file.get(), kZeros.data(), length, off_t(at));
    if (written < 0) return errno_error(errno, fmt::format("clearing the start of '{}'", device));
    at += std::uint64_t(written);
  }
  return {};
}

}  // namespace

LvmBackend::LvmBackend(LvmConfig config, LvmTool::Runner runner, os::DeviceTrees trees)
    : traits_{.name = "lvm", .scope = Scope::host_local, .min_size = kExtent, .granularity = kExtent},
      config_(std::move(config)),
      tags_(config_.owner),
      tool_(std::move(runner)),
      trees_(std::move(trees)),
      holds_(std::make_shared<LvmHolds>()) {}

Result<> LvmBackend::validate_pool(const std::string& pool) const {
  TRY(parse_lvm_pool(pool));
  return {};
}

Result<LvmBackend::Target> LvmBackend::target_of(const ImageKey& key) const {
  LvmPool pool = TRY(parse_lvm_pool(key.pool));
  LvmName name = TRY(lvm_name_of(pool, key.image));
  std::string shown = pool.group + "/" + name.volume;
  return Target{std::move(pool), std::move(name), TRY(tags_.uid_tag(key.uid)), std::move(shown)};
}

void LvmBackend::remember(const std::string& volume_uuid, const std::string& uid) {
  const std::lock_guard lock(mutex_);
  if (uid_of_volume_.size() >= kRemembered) uid_of_volume_.clear();
  uid_of_volume_[volume_uuid] = uid;
}

Result<EnsureOutcome> LvmBackend::ensure(const Op& op, const ImageKey& key, Bytes size) {
  const Target target = TRY(target_of(key));
  if (size.count > std::uint64_t(INT64_MAX) - kExtent.count)
    return make_error(Code::invalid_argument, fmt::format("no logical volume can have {} bytes", size.count));
  TRY_CTX(op.check("making a logical volume"), "'{}'", target.shown);
  const Bytes rounded = round_up(std::max(size, kExtent), kExtent);
  if (target.pool.thin()) TRY(check_thin_room(op, target.pool, rounded));
  std::vector<std::string> tags{target.tag};
  if (target.name.encoded) tags.push_back(tags_.image_tag(key.image));
  const auto said = TRY_CTX(tool_.create(op, target.pool, target.name.volume, rounded, tags),
                            "making logical volume '{}'", target.shown);
  if (!said.succeeded()) return explain_refusal(op, key, target, rounded, said);
  auto made = finish_new(op, key, target);
  if (!made) made.error().effect = Effect::unknown;
  return made;
}

Result<EnsureOutcome> LvmBackend::finish_new(const Op& op, const ImageKey& key, const Target& target) {
  const auto device = TRY(os::await_mapped_device(op, target.name.mapped, kNodePatience, trees_));
  const Bytes size = TRY(os::device_size(device.path));
  TRY(clear_start(device.path, size));
  TRY(os::flush(device.path));
  remember(volume_uuid_of(device), key.uid);
  return EnsureOutcome{Ensured::created, size};
}

// lvcreate said no: because the volume is there, or for a reason of the group's.
Result<EnsureOutcome> LvmBackend::explain_refusal(const Op& op, const ImageKey& key, const Target& target,
                                                  Bytes size, const os::Outcome& said) {
  const auto found = TRY(tool_.volume(op, target.pool.group, target.name.volume));
  if (found) {
    const std::string uid = tags_.uid_of(found->tags);
    if (uid != key.uid)
      return make_error(
          Code::already_exists,
          fmt::format("the name is taken: {}", foreign_volume(target.shown, uid, key.uid).message));
    if (found->size != round_up(size, std::max(found->extent_size, kExtent)))
      return make_error(Code::already_exists,
                        fmt::format("logical volume '{}' exists with {} bytes instead of {}", target.shown,
                                    found->size.count, size.count));
    remember(found->uuid, uid);
    return EnsureOutcome{Ensured::already_there, found->size};
  }
  const LvmGroup group = TRY(tool_.group(op, target.pool.group));
  if (group.missing_disks > 0)
    return make_error(
        Code::unavailable,
        fmt::format("volume group '{}' misses {} of its disks; see `vgs -o +vg_missing_pv_count`", group.name,
                    group.missing_disks));
  if (!target.pool.thin() && round_up(size, group.extent_size) > group.free)
    return make_error(Code::resource_exhausted,
                      fmt::format("volume group '{}' has {} bytes free, {} are needed", group.name,
                                  group.free.count, size.count));
  return make_error(Code::unavailable, fmt::format("lvcreate '{}': {}", target.shown, said.describe()));
}

Result<> LvmBackend::check_thin_room(const Op& op, const LvmPool& pool, Bytes size) {
  const auto found = TRY(tool_.volume(op, pool.group, pool.thin_pool));
  const std::string shown = pool.group + "/" + pool.thin_pool;
  if (!found || found->type != "thin-pool")
    return make_error(Code::not_found, fmt::format("'{}' is not a thin pool of this host", shown));
  const double most = 100.0 - config_.thin_reserve_percent;
  if (found->data_percent >= most || found->metadata_percent >= most)
    return make_error(
        Code::resource_exhausted,
        fmt::format("thin pool '{}' is too full for new volumes: data {}, metadata {}, and {}% are to stay "
                    "free; extend it with lvextend",
                    shown, percent(found->data_percent), percent(found->metadata_percent),
                    config_.thin_reserve_percent));
  if (size > found->size)
    return make_error(
        Code::resource_exhausted,
        fmt::format("thin pool '{}' has {} bytes in all, {} free; a volume of {} could never be "
                    "filled",
                    shown, found->size.count, pool_info(shown, *found).available.count, size.count));
  return {};
}

PoolInfo LvmBackend::pool_info(const std::string& pool, const LvmVolume& thin_pool) const {
  const double most = 100.0 - config_.thin_reserve_percent;
  const double room = thin_pool.metadata_percent >= most ? 0 : std::max(0.0, most - thin_pool.data_percent);
  return {pool, thin_pool.size, Bytes{std::uint64_t(double(thin_pool.size.count) * room / 100)}};
}

Result<Removed> LvmBackend::remove(const Op& op, const ImageKey& key) {
  const Target target = TRY(target_of(key));
  TRY_CTX(op.check("removing a logical volume"), "'{}'", target.shown);
  const auto found = TRY(find(op, target));
  if (!found) return Removed::already_gone;
  if (found->uid != key.uid) return foreign_volume(target.shown, found->uid, key.uid);
  if (found->device && TRY(attached(*found->device)))
    return make_error(Code::busy, fmt::format("logical volume '{}' is in use", target.shown));
  const auto said = TRY_CTX(tool_.remove(op, target.pool.group, target.name.volume),
                            "removing logical volume '{}'", target.shown);
  if (said.succeeded()) return Removed::removed;
  return explain_remaining(op, target, said);
}

Result<Removed> LvmBackend::explain_remaining(const Op& op, const Target& target, const os::Outcome& said) {
  const auto left = TRY(tool_.volume(op, target.pool.group, target.name.volume));
  if (!left) return Removed::removed;
  if (left->open)
    return make_error(Code::busy, fmt::format("logical volume '{}' is open in some process", target.shown));
  return make_error(Code::unavailable, fmt::format("lvremove '{}': {}", target.shown, said.describe()));
}

ImageInfo LvmBackend::info_of(const LvmVolume& volume) const {
  Bytes used = volume.size;
  if (volume.type == "thin") used.count = std::uint64_t(double(used.count) * volume.data_percent / 100);
  return {tags_.image_of(volume.tags, volume.name), tags_.uid_of(volume.tags), volume.size, used};
}

Result<std::optional<ImageInfo>> LvmBackend::inspect(const Op& op, const ImageKey& key) {
  const Target target = TRY(target_of(key));
  TRY_CTX(op.check("inspecting a logical volume"), "'{}'", target.shown);
  auto found = TRY(find(op, target));
  if (!found) return std::optional<ImageInfo>();
  if (!found->volume && target.pool.thin())
    found->volume = TRY(tool_.volume(op, target.pool.group, target.name.volume));
  if (found->volume) return std::optional(info_of(*found->volume));
  const Bytes size = TRY(os::device_size(found->device->path));
  return std::optional(ImageInfo{key.image, found->uid, size, size});
}

Result<std::vector<ImageInfo>> LvmBackend::list(const Op& op, const std::string& pool) {
  const LvmPool parsed = TRY(parse_lvm_pool(pool));
  TRY_CTX(op.check("listing logical volumes"), "pool '{}'", pool);
  std::vector<ImageInfo> images;
  for (const LvmVolume& volume : TRY(tool_.volumes(op, parsed.group))) {
    if (volume.thin_pool != parsed.thin_pool) continue;
    ImageInfo image = info_of(volume);
    if (image.uid.empty()) continue;
    remember(volume.uuid, image.uid);
    images.push_back(std::move(image));
  }
  return images;
}

Result<PoolInfo> LvmBackend::inspect_pool(const Op& op, const std::string& pool) {
  const LvmPool parsed = TRY(parse_lvm_pool(pool));
  TRY_CTX(op.check("inspecting a pool"), "pool '{}'", pool);
  if (!parsed.thin()) {
    const LvmGroup group = TRY(tool_.group(op, parsed.group));
    return PoolInfo{pool, group.size, group.free};
  }
  const auto found = TRY(tool_.volume(op, parsed.group, parsed.thin_pool));
  if (found && found->type == "thin-pool") return pool_info(pool, *found);
  return make_error(Code::not_found, fmt::format("'{}' is not a thin pool of this host", pool));
}

}  // namespace volplugin::backend
