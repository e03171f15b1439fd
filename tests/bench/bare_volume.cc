// SPDX-License-Identifier: Apache-2.0
#include "bare_volume.h"

#include "require.h"

#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr size_t kRecordBytes = 1024;
constexpr size_t kLogBytes = 4 << 20;  // written once: no append has to change the file's size or extents
constexpr std::string_view kUid = "2c1f7e0a-95b4-4d3e-8a6f-0b7c1d2e3f40";

void sync_directory(const std::string& path) {
  const int fd = open_or_end(path, O_RDONLY | O_DIRECTORY);
  require(::fsync(fd) == 0, "syncing " + path);
  ::close(fd);
}

void make_filesystem(const std::string& device) {
  const char* const argv[] = {"/usr/sbin/mkfs.ext4", "-m0", device.c_str(), nullptr};
  const char* const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {0, 1, 2}) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  pid_t pid = -1;
  errno = ::posix_spawn(&pid, argv[0], &actions, nullptr, const_cast<char**>(argv),
                        const_cast<char**>(environment));
  require(errno == 0, "starting mkfs");
  int status = 0;
  require(::waitpid(pid, &status, 0) == pid && status == 0, "mkfs.ext4 " + device);
  posix_spawn_file_actions_destroy(&actions);
}

}  // namespace

BareVolumes::BareVolumes(const std::string& directory, std::uint64_t size)
    : images_(directory + "/images"), mounts_(directory + "/mounts"), size_(size) {
  require(::mkdir(images_.c_str(), 0700) == 0 && ::mkdir(mounts_.c_str(), 0700) == 0, "making directories");
  log_ = open_or_end(directory + "/log", O_RDWR | O_CREAT);
  const std::vector<char> zeros(kLogBytes);
  require(::pwrite(log_, zeros.data(), zeros.size(), 0) == ssize_t(zeros.size()) && ::fsync(log_) == 0,
          "preparing the log");
}

BareVolumes::~BareVolumes() {
  ::close(log_);
}

void BareVolumes::record() {
  const std::string entry(kRecordBytes, 'r');
  require(
      ::pwrite(log_, entry.data(), entry.size(), log_end_) == ssize_t(entry.size()) && ::fdatasync(log_) == 0,
      "writing the log");
  log_end_ = (log_end_ + off_t(entry.size())) % off_t(kLogBytes);
}

void BareVolumes::make_image(const std::string& name) {
  const int fd = open_or_end(images_, O_TMPFILE | O_RDWR);
  require(::ftruncate(fd, off_t(size_)) == 0, "sizing the image");
  require(::fsetxattr(fd, "trusted.volplugin.uid", kUid.data(), kUid.size(), XATTR_CREATE) == 0,
          "marking the image");
  require(::fsync(fd) == 0, "syncing the image");
  const std::string unnamed = fmt::format("/proc/self/fd/{}", fd);
  require(::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, image_of(name).c_str(), AT_SYMLINK_FOLLOW) == 0,
          "naming the image");
  ::close(fd);
  sync_directory(images_);
}

void BareVolumes::create(const std::string& name) {
  record();
  make_image(name);
  const LoopDevice loop = attach_loop(image_of(name));
  require_blank(loop.device);
  make_filesystem(loop.device);
  require(::fsync(loop.fd) == 0, "syncing " + loop.device);
  ::close(loop.fd);
  await_autoclear(loop.device);
  record();
}

void BareVolumes::mount(const std::string& name) {
  record();
  const std::string where = mount_point_of(name);
  require(::mkdir(where.c_str(), 0700) == 0, "making " + where);
  mounted_ = attach_loop(image_of(name));
  require(::mount(mounted_.device.c_str(), where.c_str(), "ext4", 0, nullptr) == 0, "mounting " + where);
  require(::mkdir((where + "/data").c_str(), 0755) == 0, "making the data directory");
  ::close(mounted_.fd);
}

void BareVolumes::unmount(const std::string& name) {
  const std::string where = mount_point_of(name);
  const int hold = open_or_end(mounted_.device, O_RDONLY);
  require(::umount2(where.c_str(), UMOUNT_NOFOLLOW) == 0, "unmounting " + where);
  require(::rmdir(where.c_str()) == 0, "removing " + where);
  ::close(open_or_end(mounted_.device, O_RDONLY | O_EXCL));  // nobody else has it mounted
  ::close(hold);
  await_autoclear(mounted_.device);
  record();
}

void BareVolumes::remove(const std::string& name) {
  record();
  require(::unlink(image_of(name).c_str()) == 0, "removing the image");
  sync_directory(images_);
  record();
}

}  // namespace volplugin::bench
