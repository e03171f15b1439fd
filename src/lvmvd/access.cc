// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/access.h"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::lvmvd {
namespace {

constexpr mode_t kDirectoryMode = 0750;

Result<gid_t> find_group(const std::string& name) {
  constexpr size_t kLargest = size_t{1} << 20;  // groups with thousands of members exist
  for (std::vector<char> buffer(1024); buffer.size() <= kLargest; buffer.resize(buffer.size() * 2)) {
    group entry{};
    group* found = nullptr;
    const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    if (found != nullptr) return found->gr_gid;
    if (error != 0) return errno_error(error, fmt::format("looking up the group {}", name));
    break;
  }
  return make_error(Code::not_found, fmt::format("there is no group {}", name));
}

Result<> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), kDirectoryMode) != 0)
    return errno == EEXIST ? Result<>() : errno_error(errno, fmt::format("making directory {}", path));
  // The umask may have taken bits away.
  if (::chmod(path.c_str(), kDirectoryMode) != 0) return errno_error(errno, fmt::format("chmod {}", path));
  return {};
}

}  // namespace

Group::Group(std::string name, Warn warn) : name_(std::move(name)), warn_(std::move(warn)) {
  const auto found = find_group(name_);
  if (found)
    id_ = *found;
  else
    missing_ = found.error().message;
}

std::optional<gid_t> Group::id_for(const std::string& path) const {
  if (!id_) warn(path, missing_);
  return id_;
}

void Group::give(const std::string& path) const {
  const auto id = id_for(path);
  if (id && ::lchown(path.c_str(), 0, *id) != 0) warn(path, std::generic_category().message(errno));
}

void Group::warn(const std::string& path, const std::string& why) const {
  warn_(fmt::format("Warning: could not change group {} to {}: {}", path, name_, why));
}

Result<> ensure_directory(const std::string& path, const Group& group) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    TRY(make_directory(path.substr(0, slash)));
  TRY(make_directory(path));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno_error(errno, path);
  if (!S_ISDIR(status.st_mode))
    return make_error(Code::already_exists,
                      fmt::format("{} exists and does not appear to be a directory.", path));
  group.give(path);
  return {};
}

std::string absolute_path(const std::string& path) {
  std::filesystem::path whole = path;
  if (whole.is_relative()) {
    std::error_code ignored;  // a working directory that was removed: the path stays relative
    whole = std::filesystem::current_path(ignored) / whole;
  }
  std::string clean;
  for (const auto& part : whole.relative_path())
    if (!part.empty() && part != ".") clean += "/" + part.string();
  return clean.empty() ? "/" : clean;
}

}  // namespace volplugin::lvmvd
