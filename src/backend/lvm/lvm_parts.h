// SPDX-License-Identifier: Apache-2.0
// What the files of the LVM driver share; of no use to others.
#pragma once

#include "backend/lvm/lvm_backend.h"

#include <mutex>
#include <set>

namespace volplugin::backend {

// Which volumes the attachments of this process hold, by uuid. Thread-safe under its mutex.
struct LvmHolds {
  std::mutex mutex;
  std::multiset<std::string> volumes;
};

inline constexpr Millis kNodePatience{15'000};  // for udev to make a device node

// "LVM-<group's uuid><volume's uuid>[-suffix]" -> the two uuids, as LvmVolume has them.
std::string volume_uuid_of(const os::MappedDevice& device);

// permission_denied: the volume has another uid, or none.
Error foreign_volume(const std::string& shown, const std::string& uid, const std::string& wanted);

}  // namespace volplugin::backend
