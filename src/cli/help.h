// SPDX-License-Identifier: Apache-2.0
// The help texts, made from the command table. Pure.
#pragma once

#include "base/result.h"
#include "cli/commands.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::cli {

std::string root_help();
std::string group_help(const Group& group);
std::string command_help(const Command& command);

// The help of "volume", "volume create", "version"; of everything for no words.
// Errors: invalid_argument for words that name nothing, with the nearest ones that do.
Result<std::string> topic_help(std::span<const std::string> topic);

// For a word that is no command; `group` may be null. Names the nearest commands.
Error unknown_command(const Group* group, std::string_view word);
// For a flag that `command` (may be null) does not have.
Error unknown_flag(const Command* command, std::string_view flag);

// Those candidates that `word` is a likely typing error of, nearest first.
std::vector<std::string> near_words(std::string_view word, std::span<const std::string> candidates);

// The commands of a group in the order of the table.
std::vector<const Command*> commands_of(std::string_view group);

// docs/volcli.md.
std::string markdown_reference();

}  // namespace volplugin::cli
