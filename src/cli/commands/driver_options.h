// SPDX-License-Identifier: Apache-2.0
// The --opt KEY=VALUE of a command line.
#pragma once

#include "cli/line.h"

#include <map>
#include <string>

namespace volplugin::cli {

// Pure. Errors: invalid_argument (form, a key twice, and what no volmaster would take).
Result<std::map<std::string, std::string>> read_driver_options(const Line& line);

}  // namespace volplugin::cli
