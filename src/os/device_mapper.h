// SPDX-License-Identifier: Apache-2.0
// Device-mapper devices (logical volumes, encrypted devices) as the kernel shows them. No programs are
// started. Any thread.
#pragma once

#include "base/op.h"
#include "os/device_number.h"

#include <optional>
#include <string>

namespace volplugin::os {

struct MappedDevice {
  std::string path;  // "/dev/mapper/vg-lv"
  DeviceNumber number;
  std::string uuid;  // the kernel's; "LVM-<VG's uuid><LV's uuid>" for a logical volume
};

// Where device nodes and the kernel's view of them are; other directories are for tests.
struct DeviceTrees {
  std::string dev = "/dev";
  std::string sys = "/sys";
};

// The device of that name. nullopt: it is not active, or its node is not there yet. A node left behind by
// a device that is gone is not taken for it. Errors: by errno. Does not block.
Result<std::optional<MappedDevice>> find_mapped_device(const std::string& name,
                                                       const DeviceTrees& trees = {});

// As find, but waits for a node that udev has not made yet. Errors: deadline_exceeded, cancelled;
// unavailable when there is none after `patience`.
Result<MappedDevice> await_mapped_device(const Op& op, const std::string& name, Millis patience,
                                         const DeviceTrees& trees = {});

}  // namespace volplugin::os
