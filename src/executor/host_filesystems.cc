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

Result<bool> HostFilesystems::is_blank(const Op&, const std::string& device) {
  return TRY(os::probe(device)).blank;
}

Result<std::string> HostFilesystems::make(const Op& op, const std::string& device,
                                          const std::string& command) {
  os::Command run{model::plain_words(command)};
  if (run.argv.empty()) run.argv = {"/bin/sh", "-c", command};
  auto ran = os::run(op, run);
  if (!ran && ran.error().code == Code::not_found) ran.error().code = Code::invalid_argument;  // no such mkfs
  const os::Outcome outcome = TRY_CTX(std::move(ran), "running '{}'", command);
  if (!outcome.succeeded())
    return make_error(Code::invalid_argument, fmt::format("'{}' failed: {}", command, outcome.describe()));
  // mkfs programs sync, a policy's own command may not.
  TRY(os::flush(device));
  std::string type = TRY_CTX(os::new_filesystem_type(device), "looking at what '{}' made", command);
  if (type.empty())
    return make_error(
        Code::invalid_argument,
        fmt::format("'{}' succeeded, but made no file system on {} that is known", command, device));
  return type;
}

Result<> HostFilesystems::mount(const Op& op, const std::string& device, const std::string& mount_point,
                                const std::string& type) {
  const std::string known = type.empty() ? TRY(os::probe(device)).type : type;
  if (known.empty())
    return make_error(Code::invalid_argument, fmt::format("there is no file system on {}", device));
  TRY(os::ensure_directory(mount_point, kMountPointMode));
  return os::mount_filesystem(op, device, mount_point, known, "");
}

Result<> HostFilesystems::unmount(const std::string& mount_point) {
  while (TRY(os::find_mount(mount_point))) TRY(os::unmount(mount_point));
  return os::remove_directory(mount_point);
}

Result<std::optional<MountedAt>> HostFilesystems::mounted(const std::string& mount_point) {
  const auto entry = TRY(os::find_mount(mount_point));
  if (!entry) return std::optional<MountedAt>();
  return std::optional<MountedAt>(MountedAt{entry->source});
}

bool HostFilesystems::same_device(const std::string& first, const std::string& second) {
  const auto one = os::device_number(first);
  const auto two = os::device_number(second);
  return one && two && *one == *two;
}

Result<> HostFilesystems::ensure_directory(const std::string& path) {
  return os::ensure_directory(path, kDataMode);
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

Result<bool> HostFilesystems::expire(const std::string& mount_point) {
  const auto outcome = TRY(os::expire(mount_point));
  return outcome == os::ExpireOutcome::unmounted || outcome == os::ExpireOutcome::not_mounted;
}

}  // namespace volplugin::executor
