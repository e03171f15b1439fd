// SPDX-License-Identifier: Apache-2.0
// Who this machine is. Any thread.
#pragma once

#include "base/result.h"

#include <string>

namespace volplugin::os {

// Differs after every boot of the kernel; 36 characters.
Result<std::string> boot_id();

// The kernel's node name, not resolved.
Result<std::string> host_name();

}  // namespace volplugin::os
