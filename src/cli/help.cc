// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include "cli/exit_code.h"

#include <algorithm>

#include <fmt/format.h>

namespace volplugin::cli {
namespace {

using Entry = std::pair<std::string, std::string>;  // left column, right column

std::string section(std::string_view title, const std::vector<Entry>& entries) {
  if (entries.empty()) return "";
  size_t width = 0;
  for (const auto& [left, right] : entries) width = std::max(width, left.size());
  std::string text = fmt::format("\n{}:\n", title);
  for (const auto& [left, right] : entries) text += fmt::format("  {:<{}}  {}\n", left, width, right);
  return text;
}

std::vector<Entry> flag_entries(std::span<const Flag> flags) {
  std::vector<Entry> entries;
  for (const Flag& flag : flags) {
    std::string left = flag.letter == '\0' ? "    " : fmt::format("-{}, ", flag.letter);
    left += fmt::format("--{}", flag.name);
    if (!flag.alias.empty()) left += fmt::format(", --{}", flag.alias);
    if (!flag.value.empty()) left += fmt::format(" {}", flag.value);
    entries.emplace_back(std::move(left), flag.help);
  }
  return entries;
}

std::vector<Entry> exit_code_entries() {
  std::vector<Entry> entries;
  for (const auto& [code, word, meaning] : exit_codes())
    entries.emplace_back(std::to_string(static_cast<int>(code)), meaning);
  return entries;
}

std::vector<Entry> command_entries(std::string_view group) {
  std::vector<Entry> entries;
  for (const Command* command : commands_of(group)) {
    std::string left = command->path();
    if (command->argument != Argument::none) left += fmt::format(" {}", argument_name(command->argument));
    entries.emplace_back(std::move(left), command->summary);
  }
  return entries;
}

}  // namespace

std::vector<const Command*> commands_of(std::string_view group) {
  std::vector<const Command*> found;
  for (const Command& command : commands())
    if (command.group == group) found.push_back(&command);
  return found;
}

std::string root_help() {
  std::string text =
      "volcli manages the policies, volumes and mounts that a volmaster looks after.\n"
      "\nUsage: volcli [FLAGS] COMMAND [ARGUMENTS]\n";
  std::vector<Entry> entries;
  for (const Group& group : groups())
    std::ranges::move(command_entries(group.name), std::back_inserter(entries));
  std::ranges::move(command_entries(""), std::back_inserter(entries));
  entries.emplace_back("help [COMMAND]", "show the help of a command or of a group of commands");
  text += section("Commands", entries);
  text += section("Flags, before or after the command", flag_entries(global_flags()));
  text += section("Exit codes", exit_code_entries());
  return text + "\n'volcli help COMMAND' and 'volcli COMMAND --help' tell more about one command.\n";
}

std::string group_help(const Group& group) {
  std::string text =
      fmt::format("volcli {0}: {1}\n\nUsage: volcli {0} COMMAND [ARGUMENTS]\n", group.name, group.summary);
  auto entries = command_entries(group.name);
  entries.emplace_back(fmt::format("{} help [COMMAND]", group.name), "show the help of these commands");
  text += section("Commands", entries);
  return text + fmt::format("\n'volcli {} help COMMAND' tells more about one command.\n", group.name);
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("volcli {}: {}\n", command.path(), command.summary);
  if (!command.details.empty()) text += fmt::format("\n{}\n", command.details);
  text += fmt::format("\nUsage: {}\n", command.usage());
  if (command.argument != Argument::none)
    text += section("Arguments", {{std::string(argument_name(command.argument)),
                                   std::string(argument_help(command.argument))}});
  text += section("Flags", flag_entries(command.flags));
  text += section("Flags of all commands", flag_entries(global_flags()));
  text += fmt::format("\nExample:\n  {}\n", command.example);
  text += "\nExit codes:";
  for (const auto& [code, word, meaning] : exit_codes())
    text += fmt::format("{} {} {}", code == kDone ? "" : ",", static_cast<int>(code), word);
  return text + " ('volcli help' explains them)\n";
}

Result<std::string> topic_help(std::span<const std::string> topic) {
  if (topic.empty()) return root_help();
  const Group* const group = find_group(topic[0]);
  if (group == nullptr) {
    const Command* const command = find_command("", topic[0]);
    if (command == nullptr && topic[0] != "help") return unknown_command(nullptr, topic[0]);
    if (topic.size() > 1) return unknown_command(nullptr, fmt::format("{} {}", topic[0], topic[1]));
    return command == nullptr ? root_help() : command_help(*command);
  }
  if (topic.size() == 1) return group_help(*group);
  const Command* const command = find_command(group->name, topic[1]);
  if (command == nullptr) return unknown_command(group, topic[1]);
  if (topic.size() > 2)
    return make_error(Code::invalid_argument,
                      fmt::format("there is no help on anything below 'volcli {}'", command->path()));
  return command_help(*command);
}

}  // namespace volplugin::cli
