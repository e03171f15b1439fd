// SPDX-License-Identifier: Apache-2.0
// Mounting and the directories mounts stand on. Idempotent where it says so. The system calls cannot
// be interrupted: the Op is looked at before them. Any thread; one caller per mount point at a time.
#pragma once

#include "base/op.h"
#include "base/result.h"
#include "os/file.h"  // fsync_directory

#include <string>

namespace volplugin::os {

// mount(2). `options`: as for mount(8), e.g. "ro,nosuid,noatime,data=ordered"; what is no flag goes to
// the file system. Not idempotent: mounting twice stacks, look with find_mount() first.
// Errors: busy (already mounted or opened exclusively), unsupported (unknown file system type or
// option), corrupt (the file system needs repair), not_found, permission_denied; all effect none.
Result<> mount_filesystem(const Op& op, const std::string& device, const std::string& mount_point,
                          const std::string& fstype, const std::string& options);

// Takes away the topmost mount on the directory; never follows a symbolic link. Not mounted, or no such
// directory: success. Errors: busy.
Result<> unmount(const std::string& mount_point);

enum class ExpireOutcome {
  marked,       // unused now; the next expire() unmounts it unless somebody uses it in between
  unmounted,    // it was marked and stayed unused
  in_use,       // somebody uses it; not marked
  not_mounted,  // nothing is mounted there
};

// umount2(MNT_EXPIRE): unmounts what was not used between two calls, without a race.
Result<ExpireOutcome> expire(const std::string& mount_point);

// Makes the directory and missing parents (those 0755); sets `mode` on it only when it made it.
// Idempotent. Errors: conflict when something else has the name.
Result<> ensure_directory(const std::string& path, mode_t mode);

// Removes an empty directory. Missing: success. Errors: conflict when it is not empty, busy when it is a
// mount point.
Result<> remove_directory(const std::string& path);

}  // namespace volplugin::os
