// SPDX-License-Identifier: Apache-2.0
// The daemons' log: one line per event on stderr, as text (without the time under systemd, whose journal adds
// it) or as JSON. Thread-safe.
#pragma once

#include "base/result.h"

#include <string_view>

namespace volplugin::daemon {

enum class LogFormat { text, json };
enum class LogLevel { debug, info, warning, error };

Result<LogFormat> parse_log_format(std::string_view word);

// Call once, before any thread logs.
void open_log(LogFormat format, LogLevel lowest);
void log(LogLevel level, std::string_view message);

}  // namespace volplugin::daemon
