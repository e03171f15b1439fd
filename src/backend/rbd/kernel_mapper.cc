// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/kernel_mapper.h"

#include "os/file.h"
#include "os/process.h"

#include <filesystem>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace volplugin::backend {
namespace {

constexpr char kMappings[] = "/sys/bus/rbd/devices";
constexpr char kUdev[] = "/run/udev/control";
constexpr std::chrono::seconds kLockPatience{20};  // a holder that is there answers at once
// `rbd` exits with the errno.
constexpr int kBusyExit = 16, kReadOnlyExit = 30, kTimedOutExit = 110;
constexpr Millis kUnmapPatience{5'000};  // udev may be looking at the device

class KernelAttachment final : public Attachment {
 public:
  KernelAttachment(std::string device, os::FileDescriptor hold)
      : device_(std::move(device)), hold_(std::move(hold)) {}
  const std::string& device() const override { return device_; }

 private:
  std::string device_;
  os::FileDescriptor hold_;  // the kernel unmaps nothing that is open
};

std::string attribute(const std::filesystem::path& mapping, const char* name) {
  auto text = os::read_file(mapping / name);
  if (!text) return "";
  while (text->ends_with('\n')) text->pop_back();
  return *text;
}

// Not one that somebody made by hand: it shares a client, or would wait for the lock for ever. The kernel
// shows "<monitors> <options> <pool> <image> <snapshot>", options with commas between and in any order.
bool mapped_by_us(const std::filesystem::path& mapping) {
  std::istringstream shown(attribute(mapping, "config_info"));
  std::string monitors, options;
  shown >> monitors >> options;
  options = "," + options + ",";
  return options.contains(",noshare,") && options.contains(",lock_timeout=");
}

// The mapping's number, as in /dev/rbd<number>. By the image's id: names change hands.
std::optional<std::string> mapping_of(const LocalImage& image) {
  std::error_code none;
  for (const auto& mapping : std::filesystem::directory_iterator(kMappings, none))
    if (attribute(mapping.path(), "image_id") == image.id &&
        attribute(mapping.path(), "pool") == image.pool && attribute(mapping.path(), "current_snap") == "-" &&
        mapped_by_us(mapping.path()))
      return mapping.path().filename();
  return std::nullopt;
}

std::vector<std::string> as_user(const CephSettings& settings, std::vector<std::string> argv) {
  argv.insert(argv.end(), {"--conf", settings.conf, "--id", settings.user});
  if (!settings.keyring.empty()) argv.insert(argv.end(), {"--keyring", settings.keyring});
  return argv;
}

bool udev_runs() {
  return ::access(kUdev, F_OK) == 0;  // without it `rbd` must be told not to wait for it
}

}  // namespace

bool KernelMapper::available(const Op& op) {
  if (std::filesystem::exists("/sys/bus/rbd")) return true;
  const auto loaded = os::run(op, {.argv = {"modprobe", "rbd"}, .stdin_data = "", .package = "kmod"});
  return loaded && loaded->succeeded() && std::filesystem::exists("/sys/bus/rbd");
}

Result<std::unique_ptr<Attachment>> KernelMapper::find(const LocalImage& image) {
  for (;;) {
    const auto number = mapping_of(image);
    if (!number) return std::unique_ptr<Attachment>();
    const std::string device = "/dev/rbd" + *number;
    auto hold = TRY(os::open_file(device, O_RDONLY));
    if (mapping_of(image) == number)  // still, now that it cannot go away
      return std::unique_ptr<Attachment>(new KernelAttachment(device, std::move(hold)));
  }
}

Result<std::unique_ptr<Attachment>> KernelMapper::map(const Op& op, const LocalImage& image) {
  if (auto present = TRY(find(image))) return present;
  const auto options = fmt::format("{}noshare,lock_timeout={}{}", exclusive_ ? "exclusive," : "",
                                   kLockPatience.count(), udev_runs() ? "" : ",noudev");
  const std::vector<std::string> argv =
      as_user(links_.settings_of(image.pool),
              {"rbd", "map", "--pool", image.pool, "--image", image.image, "--options", options});
  const auto said = TRY(os::run(op, {.argv = argv, .stdin_data = "", .package = "ceph-common"}));
  if (said.exit_code == kReadOnlyExit || said.exit_code == kBusyExit || said.exit_code == kTimedOutExit)
    return make_error(Code::busy,
                      fmt::format("image '{}/{}' is locked by another client", image.pool, image.image));
  if (!said.succeeded())
    return make_error(Code::unavailable,
                      fmt::format("rbd map '{}/{}': {}", image.pool, image.image, said.describe()),
                      Effect::unknown);
  if (auto mapped = TRY(find(image))) return mapped;
  return make_error(Code::internal, fmt::format("rbd mapped '{}/{}' and the kernel does not show it",
                                                image.pool, image.image));
}

Result<Unmapped> KernelMapper::unmap(const Op& op, const LocalImage& image) {
  const SteadyTime until = op.clock().now() + kUnmapPatience;
  for (;;) {
    const auto number = mapping_of(image);
    if (!number) return Unmapped::lost;
    std::vector<std::string> argv =
        as_user(links_.settings_of(image.pool), {"rbd", "unmap", "/dev/rbd" + *number});
    if (!udev_runs()) argv.insert(argv.end(), {"--options", "noudev"});
    const auto said = TRY(os::run(op, {.argv = argv, .stdin_data = "", .package = "ceph-common"}));
    if (said.succeeded()) return Unmapped::closed;
    if (said.exit_code != kBusyExit)
      return make_error(Code::unavailable,
                        fmt::format("rbd unmap '/dev/rbd{}': {}", *number, said.describe()), Effect::unknown);
    if (op.clock().now() >= until)
      return make_error(Code::busy, fmt::format("'/dev/rbd{}' is still open in some process", *number));
    TRY(op.check("unmapping"));
    std::this_thread::sleep_for(Millis(50));
  }
}

Result<bool> KernelMapper::anything_left(const LocalImage& image) {
  return mapping_of(image).has_value();
}

Result<std::optional<std::string>> KernelMapper::client_of(const LocalImage& image) {
  const auto number = mapping_of(image);
  if (!number) return std::optional<std::string>();
  return std::optional(attribute(std::filesystem::path(kMappings) / *number, "client_addr"));
}

}  // namespace volplugin::backend
