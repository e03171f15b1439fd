// SPDX-License-Identifier: Apache-2.0
#include "bare_device.h"

#include "require.h"

#include <algorithm>
#include <vector>

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr size_t kBlankHead = 128 << 10;
constexpr int kSectorSize = 4096;

}  // namespace

int open_or_end(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  require(fd >= 0, "opening " + path);
  return fd;
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

LoopDevice attach_loop(const std::string& file) {
  const int image = open_or_end(file, O_RDWR);
  const int control = open_or_end("/dev/loop-control", O_RDWR);
  loop_config config{};
  config.fd = unsigned(image);
  config.block_size = kSectorSize;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  for (;;) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    require(number >= 0, "asking for a loop device");
    const std::string device = fmt::format("/dev/loop{}", number);
    const LoopDevice loop{open_or_end(device, O_RDWR), device};
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

void await_autoclear(const std::string& device) {
  const std::string backing = "/sys/block/" + device.substr(5) + "/loop/backing_file";
  const timespec pause{0, 100'000};
  while (::access(backing.c_str(), F_OK) == 0) ::nanosleep(&pause, nullptr);
}

}  // namespace volplugin::bench
