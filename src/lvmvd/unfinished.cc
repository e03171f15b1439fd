// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/unfinished.h"

#include "os/file.h"
#include "os/mount.h"
#include "wire/records.h"

#include <filesystem>

namespace volplugin::lvmvd {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::string_view kSuffix = ".json";

Result<model::Volume> read_volume(const std::string& path) {
  const std::string text = TRY(os::read_file(path));
  return TRY(wire::parse_volume(TRY(json::Value::parse(text, "unfinished volume")))).value;
}

}  // namespace

Result<std::unique_ptr<Unfinished>> Unfinished::open(const std::string& dir,
                                                     std::vector<std::string>& problems) {
  TRY(os::ensure_directory(dir, kDirectoryMode));
  std::unique_ptr<Unfinished> unfinished(new Unfinished(dir));
  std::error_code failed;
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(dir, failed))
    if (file.path().extension() == kSuffix) paths.push_back(file.path());
  if (failed) return make_error(Code::unavailable, fmt::format("listing {}: {}", dir, failed.message()));
  for (const auto& path : paths) {
    if (auto volume = read_volume(path)) {
      const std::string name = volume->id.name();
      unfinished->volumes_.emplace(name, std::move(*volume));
    } else {
      problems.push_back(fmt::format("{}: {} (put aside)", path, volume.error().message));
      std::filesystem::rename(path, path + ".bad", failed);
    }
  }
  return unfinished;
}

std::string Unfinished::file_of(const model::VolumeId& id) const {
  return fmt::format("{}/{}{}", dir_, id.image(), kSuffix);
}

Result<> Unfinished::add(const model::Volume& volume) {
  TRY(os::write_file_atomically(file_of(volume.id), wire::to_text(volume), kFileMode,
                                os::Durability::synced));
  const std::lock_guard lock(mutex_);
  volumes_.insert_or_assign(volume.id.name(), volume);
  return {};
}

Result<> Unfinished::erase(const model::VolumeId& id) {
  std::error_code failed;
  std::filesystem::remove(file_of(id), failed);
  if (failed)
    return make_error(Code::internal, fmt::format("removing {}: {}", file_of(id), failed.message()));
  TRY(os::fsync_directory(dir_));
  const std::lock_guard lock(mutex_);
  volumes_.erase(id.name());
  return {};
}

std::optional<model::Volume> Unfinished::find(const model::VolumeId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = volumes_.find(id.name());
  if (found == volumes_.end()) return std::nullopt;
  return found->second;
}

std::vector<model::Volume> Unfinished::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<model::Volume> copy;
  copy.reserve(volumes_.size());
  for (const auto& [name, volume] : volumes_) copy.push_back(volume);
  return copy;
}

}  // namespace volplugin::lvmvd
