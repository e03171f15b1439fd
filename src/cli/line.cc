// SPDX-License-Identifier: Apache-2.0
#include "cli/line.h"

#include "model/names.h"

#include <algorithm>
#include <charconv>
#include <ranges>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace volplugin::cli {
namespace {

constexpr int kDefaultTimeoutSeconds = 120;
constexpr int kMaxTimeoutSeconds = 86'400;

std::string option_names(const Flag& flag) {
  std::string names = fmt::format("--{}", flag.name);
  if (!flag.alias.empty()) names += fmt::format(",--{}", flag.alias);
  if (flag.letter != '\0') names += fmt::format(",-{}", flag.letter);
  return names;
}

// CLI11 has meanings of its own for some words: "[a,b]" is the two words a and b for it (so that
// `volume remove [t1/x]` would remove t1/x), "++" ends a command. A mark in front keeps them as they are.
constexpr char kMark = '\1';

std::string marked(const std::string& word) {
  const bool special = word.starts_with('[') || word.starts_with(kMark) || word == "++";
  return special ? kMark + word : word;
}

void unmark(std::vector<std::string>& words) {
  for (std::string& word : words)
    if (word.starts_with(kMark)) word.erase(0, 1);
}

void add_flags(CLI::App& app, std::span<const Flag> flags, Line& line) {
  for (const Flag& flag : flags) {
    const std::string name(flag.name);
    if (flag.value.empty()) {
      app.add_flag_function(option_names(flag), [&line, name](std::int64_t) { line.flags[name] = {""}; })
          ->disable_flag_override();  // --quiet=no would count as given, --quiet=x throw what is no
                                      // CLI::Error
      continue;
    }
    // One value per use: otherwise CLI11 would take the words behind `--opt k=v` for more values.
    app.add_option_function<std::vector<std::string>>(
           option_names(flag),
           [&line, name](const std::vector<std::string>& values) { line.flags[name] = values; })
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
}

CLI::App* add_word(CLI::App& app, std::string_view name, std::vector<std::string>& words) {
  auto* const sub = app.add_subcommand(std::string(name));
  sub->add_option("words", words)->expected(-1);
  return sub;
}

// One parser per group, one per command in it, and a `help` beside them.
struct Parser {
  explicit Parser(Line& line) {
    root.set_help_flag();
    root.fallthrough();
    root.allow_extras();
    // At most one subcommand per level. Without this the name of a command could not be the name of a
    // tenant: in `tenant get list`, CLI11 would look for `list` among the siblings of `get`.
    root.require_subcommand(0, 1);
    add_flags(root, global_flags(), line);
    root_help = add_word(root, "help", words);
    for (const Group& group : groups()) {
      auto* const sub = root.add_subcommand(std::string(group.name));
      group_apps.push_back({sub, &group, add_word(*sub, "help", words)});
    }
    for (const Command& command : commands()) {
      auto* const parent = command.group.empty() ? &root : root.get_subcommand(std::string(command.group));
      auto* const sub = add_word(*parent, command.name, words);
      add_flags(*sub, command.flags, line);
      command_apps.push_back({sub, &command});
    }
  }

  struct GroupApp {
    CLI::App* app;
    const Group* group;
    CLI::App* help;
  };
  struct CommandApp {
    CLI::App* app;
    const Command* command;
  };
  CLI::App root;
  CLI::App* root_help = nullptr;
  std::vector<GroupApp> group_apps;
  std::vector<CommandApp> command_apps;
  std::vector<std::string> words;
};

// A word that means nothing takes the meaning of what follows it: `volcli foo volume list` is about "foo".
void forget_what_follows(std::span<const std::string> args, Line& line) {
  if (line.unknown.empty() || line.group == nullptr || line.unknown.front().starts_with('-')) return;
  if (std::ranges::find(args, line.unknown.front()) > std::ranges::find(args, line.group->name)) return;
  line.group = nullptr;
  line.command = nullptr;
}

void take_over(Parser& parser, Line& line) {
  for (const auto& [app, group, help] : parser.group_apps) {
    if (!app->parsed()) continue;
    line.group = group;
    if (help->parsed()) line.topic = {std::string(group->name)};
  }
  for (const auto& [app, command] : parser.command_apps)
    if (app->parsed()) line.command = command;
  if (parser.root_help->parsed()) line.topic.emplace();
  unmark(parser.words);
  if (line.topic)
    line.topic->insert(line.topic->end(), parser.words.begin(), parser.words.end());
  else
    line.words = std::move(parser.words);
  line.unknown = parser.root.remaining(true);
  unmark(line.unknown);
  for (auto& [name, values] : line.flags) unmark(values);
  std::erase(line.unknown, "--");  // CLI11 counts the mark itself among the words left over
}

// CLI11 says "--opt: 1 required TEXT missing" or "yes was given a disallowed flag override".
Error mismatch(std::string_view what) {
  const bool missing = what.contains(": ");
  const std::string_view name = what.substr(0, what.find_first_of(": "));
  return make_error(Code::invalid_argument, fmt::format("flag {}{} {}", name.starts_with('-') ? "" : "--",
                                                        name, missing ? "needs a value" : "takes no value"));
}

}  // namespace

Result<Line> parse_line(std::span<const std::string> args) {
  Line line;
  Parser parser(line);
  try {
    std::vector<std::string> reversed;  // as CLI11 wants them
    std::ranges::transform(args | std::views::reverse, std::back_inserter(reversed), marked);
    parser.root.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch& error) {
    return mismatch(error.what());
  } catch (const std::exception& error) {
    return make_error(Code::invalid_argument, error.what());
  }
  take_over(parser, line);
  forget_what_follows(args, line);
  return line;
}

std::string Line::value(std::string_view flag, std::string_view fallback) const {
  const auto found = flags.find(flag);
  return found == flags.end() || found->second.empty() ? std::string(fallback) : found->second.back();
}

Result<std::optional<Format>> Line::format() const {
  if (!has("output")) return std::nullopt;
  const std::string word = value("output");
  if (word == "table") return Format::table;
  if (word == "json") return Format::json;
  if (word == "name") return Format::name;
  return make_error(Code::invalid_argument, fmt::format("output format '{}' is not one of table, json, name",
                                                        model::printable(word)));
}

Result<std::chrono::seconds> Line::timeout() const {
  if (!has("timeout")) return std::chrono::seconds(kDefaultTimeoutSeconds);
  const std::string text = value("timeout");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 1 || seconds > kMaxTimeoutSeconds)
    return make_error(Code::invalid_argument,
                      fmt::format("timeout '{}' is not a whole number of seconds from 1 to {}",
                                  model::printable(text), kMaxTimeoutSeconds));
  return std::chrono::seconds(seconds);
}

}  // namespace volplugin::cli
