// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace volplugin::bench {

// Waits for its end, and gives up if that is no success. Without a shell, input or output; errors stay
// visible.
void run_program(std::vector<std::string> argv);

}  // namespace volplugin::bench
