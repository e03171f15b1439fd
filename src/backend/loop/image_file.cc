// SPDX-License-Identifier: Apache-2.0
#include "backend/loop/image_file.h"

#include <cerrno>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

// trusted.*: nobody without CAP_SYS_ADMIN can claim or disclaim an image.
constexpr char kOwner[] = "trusted.volplugin.uid";

ImageStatus to_status(const struct stat& status) {
  ImageStatus image;
  image.regular = S_ISREG(status.st_mode);
  image.size = Bytes{std::uint64_t(status.st_size)};
  image.used = Bytes{std::uint64_t(status.st_blocks) * 512};
  image.device = status.st_dev;
  image.inode = status.st_ino;
  image.links = status.st_nlink;
  return image;
}

// Whatever keeps the mark from being read, a file without a mark is foreign.
std::string owner_from(ssize_t length, const char* text) {
  return length > 0 ? std::string(text, size_t(length)) : std::string();
}

Error unsuitable(const std::string& directory, const char* feature) {
  return make_error(Code::unsupported,
                    fmt::format("the file system of '{}' has no {}; keep the pool on ext4, xfs or btrfs",
                                directory, feature));
}

}  // namespace

Result<std::optional<ImageStatus>> look_at_image(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return std::optional<ImageStatus>();
    return errno_error(errno, fmt::format("looking at image '{}'", path));
  }
  ImageStatus image = to_status(status);
  char owner[kMaxUid];
  if (image.regular) image.uid = owner_from(::lgetxattr(path.c_str(), kOwner, owner, sizeof owner), owner);
  return std::optional(std::move(image));
}

Result<ImageStatus> look_at_image(const os::FileDescriptor& file, const std::string& path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return errno_error(errno, fmt::format("looking at image '{}'", path));
  ImageStatus image = to_status(status);
  char owner[kMaxUid];
  if (image.regular) image.uid = owner_from(::fgetxattr(file.get(), kOwner, owner, sizeof owner), owner);
  return image;
}

Result<os::FileDescriptor> make_unnamed_image(const std::string& directory, const std::string& uid,
                                              Bytes size) {
  os::FileDescriptor file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) {
    if (errno == EOPNOTSUPP || errno == EISDIR) return unsuitable(directory, "unnamed temporary files");
    return errno_error(errno, fmt::format("making an image in '{}'", directory));
  }
  if (::ftruncate(file.get(), off_t(size.count)) != 0) {
    if (errno == EFBIG)
      return make_error(
          Code::invalid_argument,
          fmt::format("the file system of '{}' holds no file of {} bytes", directory, size.count));
    return errno_error(errno, fmt::format("sizing an image in '{}'", directory));
  }
  if (::fsetxattr(file.get(), kOwner, uid.data(), uid.size(), XATTR_CREATE) != 0) {
    if (errno == EOPNOTSUPP) return unsuitable(directory, "trusted extended attributes");
    return errno_error(errno, fmt::format("marking an image in '{}' (needs CAP_SYS_ADMIN)", directory));
  }
  if (::fsync(file.get()) != 0) return errno_error(errno, fmt::format("syncing an image in '{}'", directory));
  return file;
}

Result<bool> name_image(const os::FileDescriptor& file, const std::string& path) {
  const std::string unnamed = fmt::format("/proc/self/fd/{}", file.get());
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno == EEXIST) return false;
  return errno_error(errno, fmt::format("naming image '{}'", path));
}

}  // namespace volplugin::backend
