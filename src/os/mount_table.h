// SPDX-License-Identifier: Apache-2.0
// What is mounted where, as the kernel says (mountinfo), in this and in other mount namespaces.
// Read-only; any thread. Nothing here blocks on storage: no path below a mount is ever touched.
#pragma once

#include "base/result.h"
#include "os/device_number.h"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace volplugin::os {

struct MountEntry {
  int mount_id = 0;
  int parent_id = 0;
  DeviceNumber device;  // of the file system; for ext4 and xfs that of its block device
  std::string root;     // the part of the file system that is shown; "/" unless bind mounted
  std::string mount_point;
  std::string fstype;
  std::string source;   // what mount(2) was given, e.g. "/dev/loop3"
  std::string options;  // of the mount and of the file system, joined
};

// All mounts in the order of the kernel's table. Errors: unavailable when the file cannot be read.
Result<std::vector<MountEntry>> read_mount_table(const std::string& path = "/proc/self/mountinfo");

// The topmost mount on exactly that directory. `mount_point`: absolute and free of symbolic links.
Result<std::optional<MountEntry>> find_mount(const std::string& mount_point);

// Whether a process in another mount namespace has the device mounted. Sees the processes of this pid
// namespace and its descendants only; in_use() of block_device.h has no such limit but says nothing
// about who.
Result<bool> used_in_other_namespaces(DeviceNumber device);

// Whether process `pid` sees that mount: it shares our mount namespace, or its own table has the same
// device on the same directory. Errors: unsupported for pid 0 (a peer in a pid namespace we cannot
// see), not_found when the process is gone.
Result<bool> visible_to(pid_t pid, const MountEntry& mount);

}  // namespace volplugin::os
