// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/plugin_files.h"

#include "os/file.h"

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::lvmvd {
namespace {

// Docker calls a driver by the name of its file.
constexpr std::string_view kDriver = "lvm-volume-driver";
constexpr mode_t kSpecMode = 0640;

bool is_directory(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

Result<std::string> file_path(const std::string& given, std::string_view flag, std::string_view ending) {
  if (given.empty())
    return make_error(Code::invalid_argument, fmt::format("{} is empty: write the path of a file", flag));
  std::string path = absolute_path(given);
  if (given.ends_with('/') || is_directory(path))
    return fmt::format("{}/{}{}", path == "/" ? "" : path, kDriver, ending);
  return path;
}

}  // namespace

Result<std::string> socket_path(const std::string& given) {
  return file_path(given, "--sock-file", ".sock");
}

Result<std::string> spec_path(const std::string& given) {
  return file_path(given, "--json-file", ".json");
}

std::string spec_text(std::string_view address) {
  return fmt::format(
      "\n{{\n"
      "     \"Name\": \"{}\",\n"
      "     \"Addr\": \"http://{}\"\n"
      "}}",
      kDriver, address);
}

Result<> ensure_directory_of(const std::string& path, const Group& group) {
  const size_t slash = path.rfind('/');
  if (slash == 0) return {};  // the root directory stays as it is
  return ensure_directory(path.substr(0, slash), group);
}

Result<std::unique_ptr<SpecFile>> SpecFile::write(const std::string& path, std::string_view address,
                                                  const Group& group) {
  TRY(ensure_directory_of(path, group));
  std::unique_ptr<SpecFile> file(new SpecFile(path));
  TRY(os::write_file_atomically(path, spec_text(address), kSpecMode, os::Durability::none));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno_error(errno, path);
  file->device_ = status.st_dev;
  file->inode_ = status.st_ino;
  group.give(path);
  return file;
}

SpecFile::~SpecFile() {
  struct stat status{};
  if (::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace volplugin::lvmvd
