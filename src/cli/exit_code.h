// SPDX-License-Identifier: Apache-2.0
// Failures as exit codes and as advice. The codes are an interface: scripts branch on them.
#pragma once

#include "base/error.h"
#include "cli/line.h"

#include <span>
#include <string>
#include <string_view>

namespace volplugin::cli {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kInTheWay = 4,
  kNoAnswer = 5,
};

struct ExitCodeHelp {
  ExitCode code;
  std::string_view word;  // for one-line summaries
  std::string_view meaning;
};
std::span<const ExitCodeHelp> exit_codes();

ExitCode exit_code(Code code);

// What the user can do next; empty when the message has to speak for itself.
std::string advice(const Error& error, const Line& line);

}  // namespace volplugin::cli
