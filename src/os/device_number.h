// SPDX-License-Identifier: Apache-2.0
// The kernel's name of a device. Names under /dev may differ between mount namespaces; this does not.
#pragma once

#include <compare>

namespace volplugin::os {

struct DeviceNumber {
  unsigned major = 0;
  unsigned minor = 0;
  auto operator<=>(const DeviceNumber&) const = default;
};

}  // namespace volplugin::os
