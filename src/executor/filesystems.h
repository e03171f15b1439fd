// SPDX-License-Identifier: Apache-2.0
// Filesystems: making and mounting file systems, as the executor needs it. HostFilesystems does it with
// the kernel; FakeFilesystems (tests) remembers it. Thread-safe; one caller per device and mount point.
// All that may touch a device blocks, at most until the Op's deadline: a device that hangs (its storage
// cannot be reached) keeps nobody. What was begun goes on then, and whatever is asked of the same device,
// mount point or path waits for it. Errors common to these: deadline_exceeded, with effect unknown once it
// was begun.
#pragma once

#include "base/op.h"

#include <optional>
#include <string>

#include <sys/types.h>

namespace volplugin::executor {

struct MountedAt {
  std::string device;  // "/dev/loop3"
};

class Filesystems {
 public:
  virtual ~Filesystems() = default;

  // Whether the device holds nothing at all. Errors: corrupt when that cannot be said.
  virtual Result<bool> is_blank(const Op& op, const std::string& device) = 0;
  // Runs the command (already expanded; with /bin/sh if it takes one) and returns the type it made, durable.
  // Errors: invalid_argument with the command's output; deadline_exceeded.
  virtual Result<std::string> make(const Op& op, const std::string& device, const std::string& command) = 0;
  // `type` empty: whatever file system is found on the device.
  virtual Result<> mount(const Op& op, const std::string& device, const std::string& mount_point,
                         const std::string& type) = 0;
  // Not mounted: success. The directory goes too. Errors: busy (open files of this namespace).
  virtual Result<> unmount(const Op& op, const std::string& mount_point) = 0;
  virtual Result<std::optional<MountedAt>> mounted(const Op& op, const std::string& mount_point) = 0;
  // Whether `first` and `second` name the same device.
  virtual bool same_device(const std::string& first, const std::string& second) = 0;
  virtual Result<> ensure_directory(const Op& op, const std::string& path) = 0;
  // Whether the process sees what is mounted there. Errors: unsupported when that cannot be known.
  virtual Result<bool> visible_to(pid_t process, const std::string& mount_point) = 0;
  // Whether a process in another mount namespace (a container) has it mounted.
  virtual Result<bool> used_elsewhere(const std::string& mount_point) = 0;
  // Takes the mount away if nobody used it since the last call: true when it is gone.
  virtual Result<bool> expire(const Op& op, const std::string& mount_point) = 0;
};

}  // namespace volplugin::executor
