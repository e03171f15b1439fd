// SPDX-License-Identifier: Apache-2.0
#include "os/loop_device.h"

#include "os/block_device.h"

#include <cerrno>
#include <cstring>
#include <sstream>
#include <thread>
#include <vector>

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::os {
namespace {

constexpr char kControl[] = "/dev/loop-control";
constexpr DeviceNumber kControlNumber{10, 237};
constexpr unsigned kLoopMajor = 7;
// So often the kernel may offer a free device that proves to be taken before we ask for a new one:
// somebody may hold the offered one exclusively without configuring it.
constexpr int kOffersBeforeNew = 16;

std::string device_path(int number) {
  return fmt::format("/dev/loop{}", number);
}

// With max_part set the minor is not the device's number.
dev_t node_number(int number) {
  const auto text = read_file(fmt::format("/sys/block/loop{}/dev", number), Bytes::kib(1));
  DeviceNumber device{kLoopMajor, unsigned(number)};
  if (text) (void)std::sscanf(text->c_str(), "%u:%u", &device.major, &device.minor);
  return to_dev_t(device);
}

// In a container /dev may have no devtmpfs behind it: then the node is made here.
Result<FileDescriptor> open_node(const std::string& path, int flags, mode_t kind, dev_t number) {
  auto node = open_file(path, flags);
  if (node || node.error().code != Code::not_found) return node;
  if (::mknod(path.c_str(), kind | 0600, number) != 0 && errno != EEXIST)
    return errno_error(errno, fmt::format("making device node '{}'", path));
  return open_file(path, flags);
}

Result<FileDescriptor> open_control() {
  auto control = open_node(kControl, O_RDWR, S_IFCHR, to_dev_t(kControlNumber));
  if (!control)
    return make_error(Code::unsupported, fmt::format("the kernel has no loop devices (modprobe loop): {}",
                                                     control.error().message));
  return control;
}

Result<int> offer_device(const FileDescriptor& control, int attempt) {
  const int number = attempt < kOffersBeforeNew ? ::ioctl(control.get(), LOOP_CTL_GET_FREE)
                                                : ::ioctl(control.get(), LOOP_CTL_ADD, -1);
  if (number < 0)
    return make_error(Code::resource_exhausted,
                      fmt::format("no free loop device: {}", errno_error(errno, "asking for one").message));
  return number;
}

// 0 or an errno value.
int configure(const FileDescriptor& node, const LoopRequest& request, std::uint32_t flags) {
  loop_config config{};
  config.fd = unsigned(request.backing_fd);
  config.block_size = request.sector_size;
  config.info.lo_flags = flags;
  std::strncpy(reinterpret_cast<char*>(config.info.lo_file_name), request.backing_path.c_str(),
               LO_NAME_SIZE - 1);
  return ::ioctl(node.get(), LOOP_CONFIGURE, &config) == 0 ? 0 : errno;
}

int configure_preferring_direct_io(const FileDescriptor& node, const LoopRequest& request) {
  std::uint32_t flags = LO_FLAGS_AUTOCLEAR;
  if (request.access == LoopAccess::read_only) flags |= LO_FLAGS_READ_ONLY;
  const int number = configure(node, request, flags | LO_FLAGS_DIRECT_IO);
  return number == EINVAL ? configure(node, request, flags) : number;
}

std::optional<loop_info64> status_of(const FileDescriptor& node) {
  loop_info64 info{};
  if (::ioctl(node.get(), LOOP_GET_STATUS64, &info) != 0) return std::nullopt;
  return info;
}

LoopDevice to_device(std::string path, FileDescriptor node, const loop_info64& info) {
  return LoopDevice(std::move(path), std::move(node), (info.lo_flags & LO_FLAGS_DIRECT_IO) != 0);
}

struct Configured {
  std::string path;
  dev_t number;
};

// The devices that show something. The kernel lists only devices that have a size: one read, where asking
// each device costs milliseconds on a host that once had hundreds of them.
Result<std::vector<Configured>> configured_loops() {
  std::istringstream lines(TRY(read_file("/proc/partitions", Bytes::mib(1))));
  std::vector<Configured> loops;
  for (std::string line; std::getline(lines, line);) {
    DeviceNumber device;
    int number = -1, length = 0;
    const bool is_loop =
        std::sscanf(line.c_str(), "%u %u %*u loop%d%n", &device.major, &device.minor, &number, &length) == 3;
    if (is_loop && size_t(length) == line.size())  // else a partition: loop0p1
      loops.push_back({device_path(number), to_dev_t(device)});
  }
  return loops;
}

// The hold is a read-only descriptor: kernels may be told to refuse mounting what is open for writing.
Result<LoopDevice> hold(const std::string& path) {
  FileDescriptor node = TRY(open_file(path, O_RDONLY));
  const auto info = status_of(node);
  if (!info) return make_error(Code::not_found, fmt::format("'{}' is not configured", path));
  return to_device(path, std::move(node), *info);
}

// nullopt: taken by somebody faster.
Result<std::optional<LoopDevice>> try_attach(const FileDescriptor& control, const LoopRequest& request,
                                             int attempt) {
  const int number = TRY(offer_device(control, attempt));
  const std::string path = device_path(number);
  const auto node = open_node(path, O_RDWR, S_IFBLK, node_number(number));
  if (!node) {
    // Somebody may just have taken the device itself away (LOOP_CTL_REMOVE).
    if (attempt < kOffersBeforeNew) return std::optional<LoopDevice>();
    return node.error();
  }
  switch (const int failure = configure_preferring_direct_io(*node, request)) {
    case 0:
      return std::optional(TRY(hold(path)));
    case EBUSY:
      return std::optional<LoopDevice>();
    case ENOTTY:
      return make_error(Code::unsupported, "the kernel has no LOOP_CONFIGURE: Linux 5.8 or later is needed");
    default:
      return errno_error(failure, fmt::format("showing '{}' on '{}'", request.backing_path, path));
  }
}

}  // namespace

Result<LoopDevice> LoopControl::attach(const Op& op, const LoopRequest& request) {
  const FileDescriptor control = TRY(open_control());
  for (int attempt = 0;; ++attempt) {
    TRY_CTX(op.check("looking for a free loop device"), "attaching '{}'", request.backing_path);
    {
      const std::lock_guard guard(mutex_);
      if (auto device = TRY(try_attach(control, request, attempt))) return std::move(*device);
    }
    std::this_thread::sleep_for(Millis(1));
  }
}

Result<std::optional<LoopDevice>> find_loop_of(dev_t device, ino_t inode) {
  for (const auto& [path, number] : TRY(configured_loops())) {
    auto node = open_node(path, O_RDONLY, S_IFBLK, number);
    if (!node) continue;  // vanished since
    const auto info = status_of(*node);
    if (info && info->lo_device == device && info->lo_inode == inode)
      return std::optional(to_device(path, std::move(*node), *info));
  }
  return std::optional<LoopDevice>();
}

Result<std::optional<LoopDevice>> find_loop_on(const std::string& backing_path) {
  const auto shows_it = [&](const Configured& loop) {
    const auto shown =
        read_file(fmt::format("/sys/block/{}/loop/backing_file", loop.path.substr(sizeof("/dev"))));
    return shown && *shown == backing_path + "\n";
  };
  for (const auto& loop : TRY(configured_loops())) {
    if (!shows_it(loop)) continue;
    auto node = open_node(loop.path, O_RDONLY, S_IFBLK, loop.number);
    if (node && shows_it(loop)) return std::optional(LoopDevice(loop.path, std::move(*node), true));
  }
  return std::optional<LoopDevice>();
}

Result<LoopDevice> open_existing_loop(const std::string& path) {
  return hold(path);
}

}  // namespace volplugin::os
