// SPDX-License-Identifier: Apache-2.0
#include "bare_volume.h"

#include "require.h"

#include <algorithm>
#include <vector>

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr size_t kRecordBytes = 1024;
constexpr size_t kLogBytes = 4 << 20;  // written once: no append has to change the file's size or extents
constexpr size_t kBlankHead = 128 << 10;
constexpr int kSectorSize = 4096;
constexpr std::string_view kUid = "2c1f7e0a-95b4-4d3e-8a6f-0b7c1d2e3f40";

int open_or_end(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  require(fd >= 0, "opening " + path);
  return fd;
}

void sync_directory(const std::string& path) {
  const int fd = open_or_end(path, O_RDONLY | O_DIRECTORY);
  require(::fsync(fd) == 0, "syncing " + path);
  ::close(fd);
}

void require_blank(const std::string& device) {
  const int fd = open_or_end(device, O_RDONLY);
  blkid_probe probe = blkid_new_probe();
  require(blkid_probe_set_device(probe, fd, 0, 0) == 0 && blkid_probe_enable_superblocks(probe, 1) == 0 &&
              blkid_probe_enable_partitions(probe, 1) == 0,
          "preparing a probe");
  require(blkid_do_safeprobe(probe) == 1, device + " is not blank");
  blkid_free_probe(probe);
  std::vector<char> head(kBlankHead);
  require(::pread(fd, head.data(), head.size(), 0) == ssize_t(head.size()), "reading " + device);
  require(std::ranges::all_of(head, [](char byte) { return byte == 0; }), device + " is not blank");
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

// Until the kernel let go of the device that autoclear ends.
void await_autoclear(const std::string& device) {
  const std::string backing = "/sys/block/" + device.substr(5) + "/loop/backing_file";
  const timespec pause{0, 100'000};
  while (::access(backing.c_str(), F_OK) == 0) ::nanosleep(&pause, nullptr);
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

BareVolumes::Loop BareVolumes::attach(const std::string& name) {
  const int image = open_or_end(image_of(name), O_RDWR);
  const int control = open_or_end("/dev/loop-control", O_RDWR);
  loop_config config{};
  config.fd = unsigned(image);
  config.block_size = kSectorSize;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  for (;;) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    require(number >= 0, "asking for a loop device");
    const Loop loop{open_or_end(fmt::format("/dev/loop{}", number), O_RDWR),
                    fmt::format("/dev/loop{}", number)};
    const bool configured = ::ioctl(loop.fd, LOOP_CONFIGURE, &config) == 0;
    require(configured || errno == EBUSY, "configuring " + loop.device);
    if (configured) {
      ::close(control);
      ::close(image);
      return loop;
    }
    ::close(loop.fd);  // another program was faster
  }
}

void BareVolumes::create(const std::string& name) {
  record();
  make_image(name);
  const Loop loop = attach(name);
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
  mounted_ = attach(name);
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
