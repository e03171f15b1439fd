// SPDX-License-Identifier: Apache-2.0
#include "backend/loop/pool_places.h"

#include "backend/loop/image_file.h"
#include "os/mount.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace volplugin::backend {
namespace {

Result<dev_t> file_system_of(const std::string& directory) {
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0)
    return errno_error(errno, fmt::format("looking at '{}'", directory));
  return status.st_dev;
}

// What the images of one pool may still grow by.
Bytes promised_by(const std::string& directory) {
  Bytes sum;
  for (const std::string& name : names_in(directory)) {
    const auto image = look_at_image(directory + "/" + name);
    if (image && *image && !(*image)->uid.empty() && (*image)->size > (*image)->used)
      sum.count += (*image)->size.count - (*image)->used.count;
  }
  return sum;
}

}  // namespace

std::string PoolPlaces::directory_of(const std::string& pool) const {
  const auto placed = config_.pools.find(pool);
  if (placed != config_.pools.end() && !placed->second.directory.empty()) return placed->second.directory;
  return config_.pools_dir + "/" + pool;
}

Result<> PoolPlaces::ensure_pool(const std::string& pool) {
  const bool exists = TRY(pool_exists(pool));
  if (config_.scope == Scope::cluster || (exists && known_durable(pool))) return {};
  if (!exists) TRY(os::ensure_directory(directory_of(pool), 0700));
  // Also when it exists: whoever made the directory may have died before its name was durable.
  TRY(os::fsync_directory(config_.pools_dir));
  const std::lock_guard guard(mutex_);
  durable_.insert(pool);
  return {};
}

bool PoolPlaces::known_durable(const std::string& pool) {
  const std::lock_guard guard(mutex_);
  return durable_.contains(pool);
}

Result<bool> PoolPlaces::pool_exists(const std::string& pool) const {
  const std::string directory = directory_of(pool);
  struct stat status{};
  if (::stat(directory.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return true;
    return make_error(Code::conflict, fmt::format("pool '{}': '{}' is no directory", pool, directory));
  }
  if (errno != ENOENT)
    return errno_error(errno, fmt::format("looking at pool '{}' in '{}'", pool, directory));
  if (config_.scope == Scope::cluster)
    return make_error(Code::not_found,
                      fmt::format("pool '{}' is shared, but '{}' does not exist on this host: make that "
                                  "directory once, and mount its file system on every host",
                                  pool, directory));
  if (directory != config_.pools_dir + "/" + pool)
    return make_error(Code::not_found,
                      fmt::format("pool '{}' is configured to lie in '{}', which does not exist: is its disk "
                                  "mounted?",
                                  pool, directory));
  return false;
}

bool PoolPlaces::overcommits(const std::string& pool) const {
  const auto placed = config_.pools.find(pool);
  return placed != config_.pools.end() && placed->second.overcommit == Overcommit::yes;
}

std::vector<std::string> PoolPlaces::pools_on(dev_t device) const {
  std::set<std::string> pools;
  for (const auto& [pool, place] : config_.pools) pools.insert(pool);
  for (const std::string& name : names_in(config_.pools_dir)) pools.insert(name);
  std::vector<std::string> here;
  for (const std::string& pool : pools) {
    const auto its_device = file_system_of(directory_of(pool));
    if (its_device && *its_device == device) here.push_back(pool);
  }
  return here;
}

Result<PoolInfo> PoolPlaces::inspect_locked(const std::string& pool, dev_t device) const {
  std::string directory = directory_of(pool);
  if (!TRY(pool_exists(pool))) directory = config_.pools_dir;
  // Promises first: an image that grows in between is counted twice rather than not at all.
  Bytes promised;
  if (!overcommits(pool)) {
    for (const std::string& other : pools_on(device))
      if (!overcommits(other)) promised.count += promised_by(directory_of(other)).count;
    if (const auto making = reserved_.find(device); making != reserved_.end())
      promised.count += making->second.count;
  }
  struct statvfs space{};
  if (::statvfs(directory.c_str(), &space) != 0)
    return errno_error(errno, fmt::format("asking for the free space of '{}'", directory));
  const Bytes free{std::uint64_t(space.f_bavail) * space.f_frsize};
  return PoolInfo{.pool = pool,
                  .total = Bytes{std::uint64_t(space.f_blocks) * space.f_frsize},
                  .available = Bytes{free.count - std::min(free.count, promised.count)}};
}

Result<PoolInfo> PoolPlaces::inspect(const std::string& pool) {
  const dev_t device = TRY(file_system_of(TRY(pool_exists(pool)) ? directory_of(pool) : config_.pools_dir));
  const std::lock_guard guard(mutex_);
  return inspect_locked(pool, device);
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(directory.c_str()),
                                                [](DIR* open) { return ::closedir(open); });
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

Result<PoolPlaces::Reservation> PoolPlaces::reserve(const std::string& pool, Bytes size) {
  if (overcommits(pool)) return Reservation(*this, 0, Bytes{});
  const dev_t device = TRY(file_system_of(directory_of(pool)));
  const std::lock_guard guard(mutex_);
  const PoolInfo info = TRY(inspect_locked(pool, device));
  if (size > info.available)
    return make_error(Code::resource_exhausted,
                      fmt::format("pool '{}' has {} bytes free for new images, {} are needed", pool,
                                  info.available.count, size.count));
  reserved_[device].count += size.count;
  return Reservation(*this, device, size);
}

// Requires the mutex.
void PoolPlaces::give_back(dev_t device, Bytes size) {
  if (size.count != 0) reserved_[device].count -= size.count;
}

PoolPlaces::Reservation::~Reservation() {
  if (places_ == nullptr) return;
  const std::lock_guard guard(places_->mutex_);
  places_->give_back(device_, size_);
}

Result<bool> PoolPlaces::Reservation::publish(const os::FileDescriptor& image, const std::string& path) && {
  const std::lock_guard guard(places_->mutex_);
  PoolPlaces& places = *std::exchange(places_, nullptr);
  places.give_back(device_, size_);
  return name_image(image, path);
}

}  // namespace volplugin::backend
