// SPDX-License-Identifier: Apache-2.0
// Text of others made fit for a log.
#pragma once

#include <string>
#include <string_view>

namespace volplugin {

// Control characters as \xNN: no line break in a message may look like another event, none reach a terminal.
std::string on_one_line(std::string_view message);

}  // namespace volplugin
