// SPDX-License-Identifier: Apache-2.0
#include "os/block_device.h"

#include <blkid/blkid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// After the C library: both define BLOCK_SIZE and friends.
#include "os/file.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include <linux/fs.h>

namespace volplugin::os {
namespace {

constexpr Bytes kBlankHead = Bytes::kib(128);

using Prober = std::unique_ptr<blkid_struct_probe, decltype(&blkid_free_probe)>;

Result<Bytes> size_of(const FileDescriptor& file, const std::string& device) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, fmt::format("looking at '{}'", device));
  if (S_ISREG(status.st_mode)) return Bytes{std::uint64_t(status.st_size)};
  if (!S_ISBLK(status.st_mode))
    return make_error(Code::invalid_argument, fmt::format("'{}' is no block device", device));
  std::uint64_t count = 0;
  if (::ioctl(file.get(), BLKGETSIZE64, &count) != 0)
    return errno_error(errno, fmt::format("asking for the size of '{}'", device));
  return Bytes{count};
}

std::string value_of(const Prober& prober, const char* name) {
  const char* text = nullptr;
  return blkid_probe_lookup_value(prober.get(), name, &text, nullptr) == 0 && text != nullptr ? text : "";
}

Result<bool> head_is_zero(const FileDescriptor& file, const std::string& device, Bytes size) {
  std::vector<char> head(std::min(kBlankHead, size).count);
  size_t done = 0;
  while (done < head.size()) {
    const ssize_t got = ::pread(file.get(), head.data() + done, head.size() - done, off_t(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, fmt::format("reading '{}'", device));
    if (got == 0) return make_error(Code::corrupt, fmt::format("'{}' is shorter than it says", device));
    done += size_t(got);
  }
  return std::ranges::all_of(head, [](char byte) { return byte == 0; });
}

constexpr int kSuperblockFields =
    BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_BADCSUM;

Error cannot_probe(const std::string& device) {
  return make_error(Code::unavailable, fmt::format("'{}' cannot be probed", device));
}

Result<Prober> prepare_prober(const FileDescriptor& file, const std::string& device) {
  Prober prober(blkid_new_probe(), &blkid_free_probe);
  if (!prober) return make_error(Code::resource_exhausted, "no memory for probing");
  const bool ready = blkid_probe_set_device(prober.get(), file.get(), 0, 0) == 0 &&
                     blkid_probe_enable_superblocks(prober.get(), 1) == 0 &&
                     blkid_probe_set_superblocks_flags(prober.get(), kSuperblockFields) == 0;
  if (!ready) return cannot_probe(device);
  return prober;
}

}  // namespace

Result<Bytes> device_size(const std::string& device) {
  return size_of(TRY(open_file(device, O_RDONLY)), device);
}

Result<bool> in_use(const std::string& device) {
  const FileDescriptor claim(::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  if (claim) return false;
  if (errno == EBUSY) return true;
  return errno_error(errno, fmt::format("claiming '{}'", device));
}

Result<Probe> probe(const std::string& device) {
  const FileDescriptor file = TRY(open_file(device, O_RDONLY));
  const Bytes size = TRY(size_of(file, device));
  const Prober prober = TRY(prepare_prober(file, device));
  if (blkid_probe_enable_partitions(prober.get(), 1) != 0) return cannot_probe(device);
  Probe found;
  switch (blkid_do_safeprobe(prober.get())) {
    case 0:
      found.type = value_of(prober, "TYPE");
      found.usage = value_of(prober, "USAGE");
      found.uuid = value_of(prober, "UUID");
      if (found.type.empty()) {
        found.type = value_of(prober, "PTTYPE");
        found.usage = "partitions";
        found.uuid = value_of(prober, "PTUUID");
      }
      return found;
    case 1:
      found.blank = TRY(head_is_zero(file, device, size));
      return found;
    case -2:
      return make_error(
          Code::corrupt,
          fmt::format("'{}' carries several signatures that contradict each other; clear the wrong "
                      "one with wipefs",
                      device));
    default:
      return make_error(Code::unavailable, fmt::format("'{}' cannot be probed: reading it fails", device));
  }
}

Result<Probe> probe_ends(std::string_view start, std::string_view end, Bytes size) {
  const FileDescriptor copy(::memfd_create("probe", MFD_CLOEXEC));
  if (!copy) return errno_error(errno, "making a copy to probe");
  const auto write = [&](std::string_view bytes, std::uint64_t offset) {
    return ::pwrite(copy.get(), bytes.data(), bytes.size(), off_t(offset)) == ssize_t(bytes.size());
  };
  const bool written = ::ftruncate(copy.get(), off_t(size.count)) == 0 && write(start, 0) &&
                       write(end, size.count - std::min(size.count, std::uint64_t{end.size()}));
  if (!written) return errno_error(errno, "writing a copy to probe");
  return probe(fmt::format("/proc/self/fd/{}", copy.get()));
}

Result<std::string> new_filesystem_type(const std::string& device) {
  const FileDescriptor file = TRY(open_file(device, O_RDONLY));
  const Prober prober = TRY(prepare_prober(file, device));
  const bool ready =
      blkid_probe_filter_superblocks_usage(prober.get(), BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM) == 0;
  const int outcome = ready ? blkid_do_probe(prober.get()) : -1;
  if (outcome < 0) return cannot_probe(device);
  return outcome == 0 ? value_of(prober, "TYPE") : "";
}

Result<> flush(const std::string& device) {
  const FileDescriptor file = TRY(open_file(device, O_RDWR));
  if (::fsync(file.get()) != 0) return errno_error(errno, fmt::format("flushing '{}'", device));
  return {};
}

Result<DeviceNumber> device_number(const std::string& device) {
  struct stat status{};
  if (::stat(device.c_str(), &status) != 0) return errno_error(errno, fmt::format("looking at '{}'", device));
  if (!S_ISBLK(status.st_mode))
    return make_error(Code::invalid_argument, fmt::format("'{}' is no block device", device));
  return device_number(status.st_rdev);
}

DeviceNumber device_number(dev_t number) {
  return {gnu_dev_major(number), gnu_dev_minor(number)};
}

dev_t to_dev_t(DeviceNumber number) {
  return gnu_dev_makedev(number.major, number.minor);
}

}  // namespace volplugin::os
