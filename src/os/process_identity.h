// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <string>

#include <sys/types.h>

namespace volplugin::os {

// "pid:start time": tells a process from a later one that got the same pid. Does not block.
// Errors: not_found when the process is gone, corrupt when /proc does not read as expected.
Result<std::string> process_identity(pid_t pid);

}  // namespace volplugin::os
