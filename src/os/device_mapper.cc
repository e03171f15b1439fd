// SPDX-License-Identifier: Apache-2.0
#include "os/device_mapper.h"

#include "os/block_device.h"
#include "os/file.h"

#include <algorithm>
#include <thread>

#include <sys/stat.h>

namespace volplugin::os {
namespace {

constexpr Millis kMaxPause{50};

// The first line of a file of sysfs; empty when it is not there.
Result<std::string> attribute(const std::string& path) {
  auto text = read_file(path, Bytes::kib(4));
  if (!text && text.error().code == Code::not_found) return std::string();
  if (!text) return std::move(text).error();
  if (text->ends_with('\n')) text->pop_back();
  return std::move(*text);
}

}  // namespace

Result<std::optional<MappedDevice>> find_mapped_device(const std::string& name, const DeviceTrees& trees) {
  const std::string path = fmt::format("{}/mapper/{}", trees.dev, name);
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<MappedDevice>();
    return errno_error(errno, fmt::format("looking at '{}'", path));
  }
  if (!S_ISBLK(status.st_mode)) return std::optional<MappedDevice>();
  const DeviceNumber number = device_number(status.st_rdev);
  const std::string kernel = fmt::format("{}/dev/block/{}:{}/dm/", trees.sys, number.major, number.minor);
  if (TRY(attribute(kernel + "name")) != name) return std::optional<MappedDevice>();
  return std::optional(MappedDevice{path, number, TRY(attribute(kernel + "uuid"))});
}

Result<MappedDevice> await_mapped_device(const Op& op, const std::string& name, Millis patience,
                                         const DeviceTrees& trees) {
  const SteadyTime until = op.clock().now() + patience;
  for (Millis pause{1};; pause = std::min(pause * 2, kMaxPause)) {
    if (auto device = TRY(find_mapped_device(name, trees))) return std::move(*device);
    TRY(op.check(fmt::format("waiting for device '{}'", name)));
    if (op.clock().now() >= until)
      return make_error(Code::unavailable,
                        fmt::format("device {}/mapper/{} did not appear within {} s; is udevd running?",
                                    trees.dev, name, patience.count() / 1000));
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace volplugin::os
