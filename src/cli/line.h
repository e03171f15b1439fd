// SPDX-License-Identifier: Apache-2.0
// A command line taken apart, not yet judged: which command, which words, which flags. Pure.
#pragma once

#include "base/result.h"
#include "cli/commands.h"
#include "cli/output.h"

#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace volplugin::cli {

struct Line {
  const Group* group = nullptr;
  const Command* command = nullptr;
  std::vector<std::string> words;  // what stands after the command
  // Words after `help`, the group first where `help` stands behind it; nullopt: no help word.
  std::optional<std::vector<std::string>> topic;
  std::vector<std::string> unknown;  // words and flags that mean nothing where they stand
  std::map<std::string, std::vector<std::string>, std::less<>> flags;  // by long name; switches have ""

  bool has(std::string_view flag) const { return flags.contains(flag); }
  // The last value given, or `fallback`.
  std::string value(std::string_view flag, std::string_view fallback = "") const;
  // Errors: invalid_argument for a word that is no format. nullopt: not said.
  Result<std::optional<Format>> format() const;
  // Errors: invalid_argument unless a whole number of seconds from 1 to 86400.
  Result<std::chrono::seconds> timeout() const;
};

// Flags may stand before, between and after the words of a command; `--` ends the flags.
// Errors: invalid_argument for a flag without its value or a switch with one.
Result<Line> parse_line(std::span<const std::string> args);

}  // namespace volplugin::cli
