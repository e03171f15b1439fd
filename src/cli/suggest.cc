// SPDX-License-Identifier: Apache-2.0
// "did you mean": the messages of help.h about words that mean nothing.
#include "cli/help.h"
#include "model/names.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace volplugin::cli {
namespace {

// Levenshtein distance: single characters added, dropped or replaced.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string question(const std::vector<std::string>& near) {
  if (near.empty()) return "";
  return fmt::format("; did you mean {}?", fmt::join(near, " or "));
}

}  // namespace

std::vector<std::string> near_words(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kMaxWord = 40;  // nobody mistypes a command as more than that
  if (word.empty() || word.size() > kMaxWord) return {};
  std::vector<std::pair<size_t, std::string>> found;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    // Short words resemble everything: allow one slip in three characters, two at most.
    const size_t allowed = std::min<size_t>(2, std::max(word.size(), candidate.size()) / 3);
    if (distance <= allowed || (word.size() >= 3 && candidate.starts_with(word)))
      found.emplace_back(distance, candidate);
  }
  std::ranges::stable_sort(found, {}, &std::pair<size_t, std::string>::first);
  std::vector<std::string> near;
  for (auto& [distance, candidate] : found) near.push_back(std::move(candidate));
  return near;
}

Error unknown_command(const Group* group, std::string_view word) {
  std::vector<std::string> candidates{"help"};
  std::vector<std::string> near;
  for (const Command* command : commands_of(group == nullptr ? "" : group->name))
    candidates.emplace_back(command->name);
  if (group == nullptr) {
    for (const Group& other : groups()) candidates.emplace_back(other.name);
    // "volcli create": the group was left out.
    for (const Command& command : commands())
      if (!command.group.empty() && command.name == word) near.push_back(fmt::format("'{}'", command.path()));
  }
  const std::string prefix = group == nullptr ? "" : fmt::format("{} ", group->name);
  for (const std::string& name : near_words(word, candidates))
    near.push_back(fmt::format("'{}{}'", prefix, name));
  return make_error(
      Code::invalid_argument,
      fmt::format("unknown command '{}{}'{}\nSee 'volcli help{}{}'.", prefix, model::printable(word),
                  question(near), group == nullptr ? "" : " ", group == nullptr ? "" : group->name));
}

Error unknown_flag(const Command* command, std::string_view flag) {
  std::vector<std::string> candidates;
  const auto add = [&](std::span<const Flag> flags) {
    for (const Flag& known : flags) candidates.push_back(fmt::format("--{}", known.name));
  };
  if (command != nullptr) add(command->flags);
  add(global_flags());
  // What stands behind "--name=" is the user's own; a cluster of letters is shown as it is.
  const std::string_view name = flag.starts_with("--") ? flag.substr(0, flag.find('=')) : flag;
  std::vector<std::string> near;
  for (const std::string& known : near_words(name, candidates)) near.push_back(fmt::format("'{}'", known));
  return make_error(
      Code::invalid_argument,
      fmt::format("unknown flag '{}'{}\nSee 'volcli help{}{}'.", model::printable(name), question(near),
                  command == nullptr ? "" : " ", command == nullptr ? "" : command->path()));
}

}  // namespace volplugin::cli
