// SPDX-License-Identifier: Apache-2.0
#include "os/mount.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <libmount/libmount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::os {
namespace {

struct ParsedOptions {
  unsigned long flags = 0;
  std::string filesystem;  // what the file system itself has to understand
};

Result<ParsedOptions> parse_options(const std::string& options) {
  ParsedOptions parsed;
  if (options.empty()) return parsed;
  // libmount silently drops everything from an unbalanced quote on.
  if (std::ranges::count(options, '"') % 2 != 0)
    return make_error(Code::invalid_argument,
                      fmt::format("mount options '{}' have an unbalanced quote", options));
  char* virtual_fs = nullptr;
  char* filesystem = nullptr;
  char* user = nullptr;
  const int rc = mnt_split_optstr(options.c_str(), &user, &virtual_fs, &filesystem, 0, 0);
  const int rc_flags =
      rc == 0 && virtual_fs != nullptr
          ? mnt_optstr_get_flags(virtual_fs, &parsed.flags, mnt_get_builtin_optmap(MNT_LINUX_MAP))
          : 0;
  if (filesystem != nullptr) parsed.filesystem = filesystem;
  const std::string user_only = user == nullptr ? "" : user;
  std::free(virtual_fs);
  std::free(filesystem);
  std::free(user);
  if (rc != 0 || rc_flags != 0)
    return make_error(Code::invalid_argument, fmt::format("mount options '{}' cannot be parsed", options));
  // These would turn mounting a volume into something else altogether.
  constexpr unsigned long kOtherOperations =
      MS_BIND | MS_MOVE | MS_REMOUNT | MS_REC | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
  if ((parsed.flags & kOtherOperations) != 0)
    return make_error(
        Code::invalid_argument,
        fmt::format("mount options '{}': bind, move, remount and propagation are not allowed", options));
  if (!user_only.empty())  // e.g. noauto, user, loop: they mean something to mount(8) only
    return make_error(Code::invalid_argument,
                      fmt::format("mount options '{}' make no sense here", user_only));
  return parsed;
}

Error explain(int number, const std::string& device, const std::string& mount_point,
              const std::string& fstype, const std::string& options) {
  const std::string what = fmt::format("mounting '{}' on '{}' as {}", device, mount_point, fstype);
  switch (number) {
    case EBUSY:
      return make_error(Code::busy, what + ": the device is mounted already or opened exclusively");
    case EUCLEAN:
    case EBADMSG:
      return make_error(Code::corrupt, what + ": the file system is damaged; run fsck on it");
    case ENODEV:
      return make_error(Code::unsupported,
                        fmt::format("{}: the kernel does not support file system '{}'", what, fstype));
    case EINVAL:
      return make_error(
          Code::unsupported,
          fmt::format("{}: no such file system on the device, or it refuses the options '{}'; see "
                      "the kernel log",
                      what, options));
    case EROFS:
      return make_error(Code::permission_denied, what + ": the device is read-only; mount it with ro");
    case ENOTBLK:
      return make_error(Code::invalid_argument, what + ": not a block device");
    default:
      return errno_error(number, what);
  }
}

}  // namespace

Result<> mount_filesystem(const Op& op, const std::string& device, const std::string& mount_point,
                          const std::string& fstype, const std::string& options) {
  const ParsedOptions parsed = TRY(parse_options(options));
  TRY_CTX(op.check("mount"), "mounting '{}' on '{}'", device, mount_point);
  const char* extra = parsed.filesystem.empty() ? nullptr : parsed.filesystem.c_str();
  if (::mount(device.c_str(), mount_point.c_str(), fstype.c_str(), parsed.flags, extra) != 0)
    return explain(errno, device, mount_point, fstype, options);
  return {};
}

Result<> unmount(const std::string& mount_point) {
  if (::umount2(mount_point.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
  switch (errno) {
    case EINVAL:  // not a mount point
    case ENOENT:
      return {};
    case EBUSY:
      return make_error(Code::busy, fmt::format("'{}' is in use and stays mounted", mount_point));
    default:
      return errno_error(errno, fmt::format("unmounting '{}'", mount_point));
  }
}

Result<ExpireOutcome> expire(const std::string& mount_point) {
  if (::umount2(mount_point.c_str(), MNT_EXPIRE | UMOUNT_NOFOLLOW) == 0) return ExpireOutcome::unmounted;
  switch (errno) {
    case EAGAIN:
      return ExpireOutcome::marked;
    case EBUSY:
      return ExpireOutcome::in_use;
    case EINVAL:
    case ENOENT:
      return ExpireOutcome::not_mounted;
    default:
      return errno_error(errno, fmt::format("unmounting '{}' when unused", mount_point));
  }
}

Result<> ensure_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0)
      return errno_error(errno, fmt::format("setting the mode of '{}'", path));
    return {};
  }
  if (errno == EEXIST) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return errno_error(errno, fmt::format("looking at '{}'", path));
    if (!S_ISDIR(status.st_mode))
      return make_error(Code::conflict, fmt::format("'{}' exists and is no directory", path));
    return {};
  }
  const auto slash = path.rfind('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0)
    return errno_error(errno, fmt::format("making directory '{}'", path));
  TRY(ensure_directory(path.substr(0, slash), 0755));
  return ensure_directory(path, mode);
}

Result<> remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  if (errno == ENOTEMPTY || errno == EEXIST)
    return make_error(Code::conflict, fmt::format("directory '{}' is not empty and stays", path));
  return errno_error(errno, fmt::format("removing directory '{}'", path));
}

}  // namespace volplugin::os
