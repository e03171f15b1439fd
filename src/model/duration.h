// SPDX-License-Identifier: Apache-2.0
// Durations in Go's notation ("30m", "1h30m", "1.5s"), which the requirements use for snapshots.
#pragma once

#include "base/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace volplugin::model {

// Sign-less Go notation: numbers with optional fraction, each followed by ns us ms s m or h.
// Errors: invalid_argument quoting the text and naming the rule; a negative duration is refused.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// Shortest Go spelling without zero parts: "30m", "1h30m", "1.5s", "0s".
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace volplugin::model
