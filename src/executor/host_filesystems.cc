// SPDX-License-Identifier: Apache-2.0
#include "executor/host_filesystems.h"

#include "model/filesystem_command.h"
#include "os/block_device.h"
#include "os/mount.h"
#include "os/mount_table.h"
#include "os/process.h"

#include <unistd.h>

namespace volplugin::executor {
namespace {

constexpr mode_t kMountPointMode = 0700;
constexpr mode_t kDataMode = 0755;

}  // namespace

Result<bool> HostFilesystems::is_blank(const Op& op, const std::string& device) {
  return calls_.run_in_turn(op, device, "looking at a device",
                            [device]() -> Result<bool> { return TRY(os::probe(device)).blank; });
}

// The command is ended by the deadline; what is done here besides waits for the device.

Result<std::string> HostFilesystems::make(const Op& op, const std::string& device,
                                          const std::string& command) {
  os::Command run{model::plain_words(command)};
  if (run.argv.empty()) run.argv = {"/bin/sh", "-c", command};
  auto ran = os::run(op, run);
  if (!ran && ran.error().code == Code::not_found) ran.error().code = Code::invalid_argument;  // no such mkfs
  const os::Outcome outcome = TRY_CTX(std::move(ran), "running '{}'", command);
  if (!outcome.succeeded())
    return make_error(Code::invalid_argument, fmt::format("'{}' failed: {}", command, outcome.describe()));
  const auto finish = [device]() -> Result<std::string> {
    TRY(os::flush(device));  // mkfs programs sync, a policy's own command may not
    return os::new_filesystem_type(device);
  };
  std::string type = TRY_CTX(calls_.run_in_turn(op, device, "looking at a new file system", finish),
                             "looking at what '{}' made", command);
  if (type.empty())
    return make_error(
        Code::invalid_argument,
        fmt::format("'{}' succeeded, but made no file system on {} that is known", command, device));
  return type;
}

Result<> HostFilesystems::mount(const Op& op, const std::string& device, const std::string& mount_point,
                                const std::string& type) {
  return calls_.run_in_turn(op, mount_point, "mounting", [=]() -> Result<> {
    const std::string known = type.empty() ? TRY(os::probe(device)).type : type;
    if (known.empty())
      return make_error(Code::invalid_argument, fmt::format("there is no file system on {}", device));
    TRY(os::ensure_directory(mount_point, kMountPointMode));
    return os::mount_filesystem(op, device, mount_point, known, "");
  });
}

Result<> HostFilesystems::unmount(const Op& op, const std::string& mount_point) {
  return calls_.run_in_turn(op, mount_point, "unmounting", [op, mount_point]() -> Result<> {
    while (TRY(os::find_mount(mount_point))) {
      TRY(op.check("unmounting"));  // nobody waits any more: it may be somebody's again
      TRY(os::unmount(mount_point));
    }
    return os::remove_directory(mount_point);
  });
}

Result<std::optional<MountedAt>> HostFilesystems::mounted(const Op& op, const std::string& mount_point) {
  using Found = Result<std::optional<MountedAt>>;
  return calls_.run_in_turn(op, mount_point, "looking for a mount", [mount_point]() -> Found {
    const auto entry = TRY(os::find_mount(mount_point));
    if (!entry) return std::optional<MountedAt>();
    return std::optional<MountedAt>(MountedAt{entry->source});
  });
}

bool HostFilesystems::same_device(const std::string& first, const std::string& second) {
  const auto one = os::device_number(first);
  const auto two = os::device_number(second);
  return one && two && *one == *two;
}

Result<> HostFilesystems::ensure_directory(const Op& op, const std::string& path) {
  return calls_.run_in_turn(op, path, "making a directory",
                            [path] { return os::ensure_directory(path, kDataMode); });
}

Result<bool> HostFilesystems::visible_to(pid_t process, const std::string& mount_point) {
  const auto entry = TRY(os::find_mount(mount_point));
  if (!entry) return make_error(Code::internal, fmt::format("{} is not mounted", mount_point));
  return os::visible_to(process, *entry);
}

Result<bool> HostFilesystems::used_elsewhere(const std::string& mount_point) {
  const auto entry = TRY(os::find_mount(mount_point));
  if (!entry) return false;
  return os::used_in_other_namespaces(entry->device);
}

Result<bool> HostFilesystems::expire(const Op& op, const std::string& mount_point) {
  return calls_.run_in_turn(op, mount_point, "unmounting when unused", [mount_point]() -> Result<bool> {
    const auto outcome = TRY(os::expire(mount_point));
    return outcome == os::ExpireOutcome::unmounted || outcome == os::ExpireOutcome::not_mounted;
  });
}

}  // namespace volplugin::executor
