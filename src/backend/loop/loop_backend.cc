// SPDX-License-Identifier: Apache-2.0
#include "backend/loop/loop_backend.h"

#include "backend/loop/image_file.h"
#include "backend/loop_attachment.h"
#include "backend/pool_name.h"
#include "os/block_device.h"
#include "os/mount.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <set>
#include <thread>

#include <unistd.h>

namespace volplugin::backend {
namespace {

constexpr Bytes kSector{4096};
constexpr Bytes kMinSize = Bytes::mib(1);
// How long a lock without a visible device, or a device without a visible user, may be somebody's
// transition (the kernel tearing down, udev looking, a program being started) before we call it busy.
constexpr Millis kPatience{5000};
constexpr Millis kMaxPause{20};

struct OpenImage {
  os::FileDescriptor file;
  ImageStatus status;
};

// nullopt: no such image. The status is that of the opened file, so nobody can swap it afterwards.
Result<std::optional<OpenImage>> open_image(const std::string& path) {
  const auto seen = TRY(look_at_image(path));
  if (!seen) return std::optional<OpenImage>();
  if (!seen->regular) return std::optional(OpenImage{os::FileDescriptor(), *seen});
  auto file = os::open_file(path, O_RDWR | O_NOFOLLOW);
  if (!file && file.error().code == Code::not_found) return std::optional<OpenImage>();
  if (!file) return std::move(file).error();
  ImageStatus status = TRY(look_at_image(*file, path));
  return std::optional(OpenImage{std::move(*file), std::move(status)});
}

Result<std::optional<OpenImage>> find_image(const PoolPlaces& places, const ImageKey& key,
                                            const std::string& path) {
  if (!TRY(places.pool_exists(key.pool))) return std::optional<OpenImage>();
  return open_image(path);
}

Error foreign(const ImageKey& key, const ImageStatus& status) {
  return make_error(Code::permission_denied,
                    status.uid.empty()
                        ? fmt::format("image '{}/{}' was not made by volplugin", key.pool, key.image)
                        : fmt::format("image '{}/{}' belongs to volume {}, not to {}", key.pool, key.image,
                                      status.uid, key.uid));
}

// Repeats `attempt` (Result<bool>, true: done) with growing pauses until the Op or the patience ends.
template <class Attempt>
Result<bool> retry_patiently(const Op& op, std::string_view what, Attempt attempt) {
  const SteadyTime until = op.clock().now() + kPatience;
  for (Millis pause{1};; pause = std::min(pause * 2, kMaxPause)) {
    if (TRY(attempt())) return true;
    TRY(op.check(what));
    if (op.clock().now() >= until) return false;
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

LoopBackend::LoopBackend(LoopConfig config)
    : traits_{.name = "loop", .scope = config.scope, .min_size = kMinSize, .granularity = kSector},
      places_(std::move(config)) {}

Result<std::unique_ptr<LoopBackend>> LoopBackend::open(LoopConfig config) {
  std::set<std::string> directories;
  for (const auto& [pool, place] : config.pools) {
    TRY(check_pool_name(pool));
    if (!place.directory.empty() && !directories.insert(place.directory).second)
      return make_error(Code::invalid_argument,
                        fmt::format("pool '{}': another pool lies in '{}' already", pool, place.directory));
  }
  if (config.scope == Scope::host_local) {
    TRY_CTX(os::ensure_directory(config.pools_dir, 0700), "opening the loop backend");
    TRY(os::fsync_directory(config.pools_dir + "/.."));
  }
  return std::unique_ptr<LoopBackend>(new LoopBackend(std::move(config)));
}

const char* LoopBackend::locked_by_others() const {
  return traits_.scope == Scope::cluster ? "attached on another host, or locked by another program"
                                         : "locked by another program";
}

Result<> LoopBackend::validate_pool(const std::string& pool) const {
  return check_pool_name(pool);
}

Result<std::string> LoopBackend::path_of(const ImageKey& key) const {
  TRY(check_pool_name(key.pool));
  TRY(check_image_name(key.image));
  if (key.uid.empty() || key.uid.size() > kMaxUid)
    return make_error(Code::invalid_argument, "an image needs the uid of its volume, 1 to 256 bytes");
  return places_.directory_of(key.pool) + "/" + key.image;
}

Result<std::optional<EnsureOutcome>> LoopBackend::accept_existing(const ImageKey& key,
                                                                  const std::string& path, Bytes size) const {
  const auto image = TRY(look_at_image(path));
  if (!image) return std::optional<EnsureOutcome>();
  if (image->uid != key.uid)
    return make_error(Code::already_exists,
                      fmt::format("the name is taken: {}", foreign(key, *image).message));
  if (image->size != size)
    return make_error(Code::already_exists, fmt::format("image '{}/{}' exists with {} bytes instead of {}",
                                                        key.pool, key.image, image->size.count, size.count));
  // Whoever made it may have died before its name was durable.
  TRY(os::fsync_directory(places_.directory_of(key.pool)));
  return std::optional(EnsureOutcome{Ensured::already_there, size});
}

Result<EnsureOutcome> LoopBackend::ensure(const Op& op, const ImageKey& key, Bytes size) {
  const std::string path = TRY(path_of(key));
  if (size.count > std::uint64_t(INT64_MAX) - kSector.count)
    return make_error(Code::invalid_argument, fmt::format("no image can have {} bytes", size.count));
  const Bytes rounded = round_up(std::max(size, kMinSize), kSector);
  TRY_CTX(op.check("making an image"), "image '{}/{}'", key.pool, key.image);
  TRY(places_.ensure_pool(key.pool));
  if (const auto existing = TRY(accept_existing(key, path, rounded))) return *existing;

  auto space = TRY(places_.reserve(key.pool, rounded));
  const std::string directory = places_.directory_of(key.pool);
  const os::FileDescriptor file = TRY(make_unnamed_image(directory, key.uid, rounded));
  TRY_CTX(op.check("making an image"), "image '{}/{}'", key.pool, key.image);
  if (TRY(std::move(space).publish(file, path))) {
    if (auto synced = os::fsync_directory(directory); !synced) {
      synced.error().effect = Effect::unknown;
      return std::move(synced).error();
    }
    return EnsureOutcome{Ensured::created, rounded};
  }
  if (const auto existing = TRY(accept_existing(key, path, rounded))) return *existing;
  return make_error(Code::conflict,
                    fmt::format("image '{}/{}' was made and removed meanwhile", key.pool, key.image));
}

Result<Removed> LoopBackend::remove(const Op& op, const ImageKey& key) {
  const std::string path = TRY(path_of(key));
  TRY_CTX(op.check("removing an image"), "image '{}/{}'", key.pool, key.image);
  if (!TRY(places_.pool_exists(key.pool))) return Removed::already_gone;
  const auto image = TRY(open_image(path));
  if (!image) {
    // Whoever removed it may have died before that was durable.
    TRY(os::fsync_directory(places_.directory_of(key.pool)));
    return Removed::already_gone;
  }
  if (image->status.uid != key.uid) return foreign(key, image->status);
  const auto busy = [&](std::string_view where) {
    return make_error(Code::busy, fmt::format("image '{}/{}' is {}", key.pool, key.image, where));
  };
  bool attached = false;
  const bool locked = TRY(retry_patiently(op, "removing an image", [&]() -> Result<bool> {
    const bool mine = TRY(os::try_lock(image->file));
    attached = TRY(os::find_loop_of(image->status.device, image->status.inode)).has_value();
    return mine || attached;
  }));
  if (attached) return busy("attached");
  if (!locked) return busy(locked_by_others());
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return errno_error(errno, fmt::format("removing image '{}'", path));
  if (auto synced = os::fsync_directory(places_.directory_of(key.pool)); !synced) {
    synced.error().effect = Effect::unknown;
    return std::move(synced).error();
  }
  return Removed::removed;
}

Result<std::optional<ImageInfo>> LoopBackend::inspect(const Op& op, const ImageKey& key) {
  const std::string path = TRY(path_of(key));
  TRY_CTX(op.check("inspecting an image"), "image '{}/{}'", key.pool, key.image);
  if (!TRY(places_.pool_exists(key.pool))) return std::optional<ImageInfo>();
  const auto image = TRY(look_at_image(path));
  if (!image) return std::optional<ImageInfo>();
  return std::optional(ImageInfo{key.image, image->uid, image->size, image->used});
}

Result<std::vector<ImageInfo>> LoopBackend::list(const Op& op, const std::string& pool) {
  TRY(check_pool_name(pool));
  TRY_CTX(op.check("listing images"), "pool '{}'", pool);
  std::vector<ImageInfo> images;
  if (!TRY(places_.pool_exists(pool))) return images;
  const std::string directory = places_.directory_of(pool);
  for (const std::string& name : names_in(directory)) {
    TRY_CTX(op.check("listing images"), "pool '{}'", pool);
    const auto image = TRY(look_at_image(directory + "/" + name));
    if (image && !image->uid.empty()) images.push_back({name, image->uid, image->size, image->used});
  }
  return images;
}

Result<PoolInfo> LoopBackend::inspect_pool(const Op& op, const std::string& pool) {
  TRY(check_pool_name(pool));
  TRY_CTX(op.check("inspecting a pool"), "pool '{}'", pool);
  return places_.inspect(pool);
}

Result<std::unique_ptr<Attachment>> LoopBackend::attach(const Op& op, const ImageKey& key) {
  const std::string path = TRY(path_of(key));
  TRY_CTX(op.check("attaching"), "image '{}/{}'", key.pool, key.image);
  const auto image = TRY(find_image(places_, key, path));
  if (!image)
    return make_error(Code::not_found, fmt::format("image '{}/{}' does not exist", key.pool, key.image));
  if (image->status.uid != key.uid) return foreign(key, image->status);

  std::optional<os::LoopDevice> present;
  bool locked = false;
  const bool settled = TRY(retry_patiently(op, "attaching", [&]() -> Result<bool> {
    locked = TRY(os::try_lock(image->file));
    present = TRY(os::find_loop_of(image->status.device, image->status.inode));
    return locked || present;
  }));
  if (!settled)
    return make_error(Code::busy,
                      fmt::format("image '{}/{}' is {}", key.pool, key.image, locked_by_others()));
  if (!locked) return to_attachment(std::move(*present));
  if (present)
    return make_error(Code::busy,
                      fmt::format("image '{}/{}' is shown by '{}', which volplugin did not attach; "
                                  "detach it with losetup -d",
                                  key.pool, key.image, present->path()));
  // A remove() may have been faster than our lock.
  if (TRY(look_at_image(image->file, path)).links == 0)
    return make_error(Code::not_found,
                      fmt::format("image '{}/{}' was removed meanwhile", key.pool, key.image));
  auto device = loops_.attach(op, {.backing_fd = image->file.get(), .backing_path = path});
  if (!device) {
    os::unlock(image->file);
    return std::move(device).error();
  }
  return to_attachment(std::move(*device));
}

Result<std::unique_ptr<Attachment>> LoopBackend::attached_here(const Op& op, const ImageKey& key) {
  const std::string path = TRY(path_of(key));
  TRY_CTX(op.check("looking for a device"), "image '{}/{}'", key.pool, key.image);
  if (!TRY(places_.pool_exists(key.pool))) return std::unique_ptr<Attachment>();
  const auto image = TRY(look_at_image(path));
  if (!image || image->uid != key.uid) return std::unique_ptr<Attachment>();
  auto device = TRY(os::find_loop_of(image->device, image->inode));
  return device ? to_attachment(std::move(*device)) : std::unique_ptr<Attachment>();
}

Result<> LoopBackend::detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) {
  const std::string path = TRY(path_of(key));
  TRY_CTX(op.check("detaching"), "image '{}/{}'", key.pool, key.image);
  if (!attachment) attachment = TRY(attached_here(op, key));
  if (!attachment) return {};
  const std::string device = attachment->device();
  if (TRY(os::in_use(device)))
    return make_error(Code::busy,
                      fmt::format("'{}' is in use, perhaps mounted in another mount namespace", device));
  attachment.reset();

  // The lock proves that the kernel let go of the file.
  const auto image = TRY(find_image(places_, key, path));
  if (!image || image->status.uid != key.uid) return {};
  auto gone = retry_patiently(op, "detaching", [&] { return os::try_lock(image->file); });
  if (!gone) {
    gone.error().effect = Effect::unknown;
    return std::move(gone.error()).with_context(fmt::format("waiting for '{}' to vanish", device));
  }
  if (!*gone) return make_error(Code::busy, fmt::format("'{}' is still open in some process", device));
  os::unlock(image->file);
  return {};
}

}  // namespace volplugin::backend
