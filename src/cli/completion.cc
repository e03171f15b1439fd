// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <algorithm>

namespace volplugin::cli {
namespace {

using Words = std::vector<std::string>;

constexpr Millis kPatience{2000};  // nobody waits longer after pressing Tab

constexpr std::string_view kBashScript = R"(# SPDX-License-Identifier: Apache-2.0
# bash completion for volcli, as printed by `volcli completion bash`. The candidates come from the program.
_volcli() {
  # Not COMP_WORDS: bash also splits that at ':' and '=', which stand inside our words.
  local line=${COMP_LINE:0:COMP_POINT} words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  mapfile -t COMPREPLY < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  if [[ ${COMPREPLY[0]-} == :files ]]; then
    COMPREPLY=()
    compopt -o default
  elif [[ ${COMPREPLY[0]-} == *[/=] ]]; then
    compopt -o nospace
  fi
}
complete -F _volcli volcli
)";

const Flag* find_flag(std::span<const Flag> flags, std::string_view word) {
  for (const Flag& flag : flags) {
    const bool is_letter =
        word.size() == 2 && word[0] == '-' && word[1] == flag.letter && flag.letter != '\0';
    const bool is_long = word.starts_with("--") && (word.substr(2) == flag.name ||
                                                    (!flag.alias.empty() && word.substr(2) == flag.alias));
    if (is_letter || is_long) return &flag;
  }
  return nullptr;
}

const Flag* find_flag(const Command* command, std::string_view word) {
  const Flag* const own = command == nullptr ? nullptr : find_flag(command->flags, word);
  return own != nullptr ? own : find_flag(global_flags(), word);
}

// The names volmaster knows. Every failure is an empty list: there is no place to show an error.
class Names {
 public:
  Names(const Line& line, const Connect& connect)
      : op_(system_clock(), kPatience, make_request_id(), "volcli") {
    const auto target = target_of(line);
    if (!target) return;
    if (auto opened = connect.records(*target, op_)) volmaster_ = std::move(*opened);
  }

  Words tenants() const {
    return ask(&service::Volmaster::list_tenants, "", "",
               [](const model::Tenant& tenant) { return tenant.name.str(); });
  }
  Words nodes() const {
    return ask(&service::Volmaster::list_nodes, "", "",
               [](const model::Node& node) { return node.name.str(); });
  }
  Words operations() const {
    Words ids;
    const auto found = volmaster_ ? volmaster_->list_operations(op_) : std::vector<model::Operation>();
    if (found)
      for (const auto& operation : *found) ids.push_back(operation.id);
    return ids;
  }
  std::vector<model::VolumeId> volumes(const std::string& tenant) const {
    return ask(&service::Volmaster::list_volumes, tenant, "",
               [](const model::Volume& volume) { return volume.id; });
  }
  Words snapshots(const std::string& volume) const {
    return ask(&service::Volmaster::list_snapshots, "", volume,
               [](const model::Snapshot& snapshot) { return snapshot.id.text(); });
  }
  std::vector<model::VolumeId> mounts(const std::string& tenant) const {
    return ask(&service::Volmaster::list_mounts, tenant, "",
               [](const model::Mount& mount) { return mount.volume; });
  }

 private:
  template <class T, class Port, class Pick, class Name = std::invoke_result_t<Pick, const T&>>
  std::vector<Name> ask(Result<service::Page<T>> (Port::*list)(const Op&, const service::ListQuery&),
                        const std::string& tenant, const std::string& volume, Pick pick) const {
    std::vector<Name> names;
    if (!volmaster_) return names;
    const auto page = (volmaster_.get()->*list)(
        op_, {.tenant = tenant, .volume = volume, .after = "", .limit = service::ListQuery::kMaxLimit});
    if (!page) return names;
    for (const auto& record : page->items) names.push_back(pick(record->value));
    return names;
  }

  Op op_;
  std::shared_ptr<service::Volmaster> volmaster_;
};

Words command_names(const Group* group) {
  Words words;
  for (const Command& command : commands())
    if (command.group == (group == nullptr ? "" : group->name)) words.emplace_back(command.name);
  if (group == nullptr)
    for (const Group& other : groups()) words.emplace_back(other.name);
  words.emplace_back("help");
  return words;
}

// First word: "tenant/" for every tenant until there is a slash, then the volumes of that tenant. Second
// word: the volumes of the tenant that is the first.
Words volume_words(const Line& line, std::string_view current, const Names& names) {
  const bool mounted = line.command->argument == Argument::mount;
  const auto slash = current.find('/');
  Words words;
  if (line.words.size() > 1 || (line.words.size() == 1 && line.words[0].contains('/'))) return words;
  if (line.words.empty() && slash == current.npos) {
    for (const std::string& tenant : names.tenants()) words.push_back(tenant + "/");
    return words;
  }
  const std::string tenant = line.words.empty() ? std::string(current.substr(0, slash)) : line.words[0];
  if (!model::TenantTag::parse(tenant)) return words;
  for (const auto& id : mounted ? names.mounts(tenant) : names.volumes(tenant))
    words.push_back(line.words.empty() ? id.name() : id.volume.str());
  return words;
}

// Part by part: "tenant/", "tenant/volume/", and then the snapshots of that volume.
Words snapshot_words(const Line& line, std::string_view current, const Names& names) {
  Words words;
  if (!line.words.empty()) return words;
  const auto slash = current.find('/');
  if (slash == current.npos) {
    for (const std::string& tenant : names.tenants()) words.push_back(tenant + "/");
    return words;
  }
  const auto second = current.find('/', slash + 1);
  if (second != current.npos) {
    const auto volume = model::parse_volume_id(current.substr(0, second));
    return volume ? names.snapshots(volume->name()) : words;
  }
  const auto tenant = model::TenantTag::parse(current.substr(0, slash));
  if (!tenant) return words;
  for (const auto& id : names.volumes(tenant->str())) words.push_back(id.name() + "/");
  return words;
}

Words argument_words(const Line& line, std::string_view current, const Connect& connect) {
  switch (line.command->argument) {
    case Argument::none:
      return {};
    case Argument::tenant:
      return line.words.empty() ? Names(line, connect).tenants() : Words{};
    case Argument::volume:
    case Argument::mount:
      return volume_words(line, current, Names(line, connect));
    case Argument::snapshot:
      return snapshot_words(line, current, Names(line, connect));
    case Argument::node:
      return line.words.empty() ? Names(line, connect).nodes() : Words{};
    case Argument::operation:
      return line.words.empty() ? Names(line, connect).operations() : Words{};
  }
  return {};
}

Words flag_values(const Flag& flag, std::string_view current, const Line& line, const Connect& connect) {
  if (flag.value == "FILE") return {std::string(kCompleteFiles)};
  if (flag.name == "output") return {"json", "name", "table"};
  if (flag.name == "layout") return {"data", "root"};
  if (flag.name == "node") return Names(line, connect).nodes();
  Words words;
  if (flag.name == "opt" && !current.contains('='))
    for (const std::string& key : model::driver_option_keys()) words.push_back(key + "=");
  return words;
}

Words flag_names(const Command* command) {
  Words words;
  const auto add = [&](std::span<const Flag> flags) {
    for (const Flag& flag : flags) words.push_back(fmt::format("--{}", flag.name));
  };
  if (command != nullptr) add(command->flags);
  add(global_flags());
  return words;
}

Words topic_words(const Words& topic) {
  if (topic.empty()) return command_names(nullptr);
  const Group* const group = find_group(topic.back());
  return topic.size() == 1 && group != nullptr ? command_names(group) : Words{};
}

Words candidates(Words before, std::string& current, const Connect& connect) {
  // A flag that waits for its value cannot be parsed; it is looked at on its own.
  std::string waiting;
  if (!before.empty() && before.back().starts_with('-')) {
    waiting = before.back();
    before.pop_back();
  }
  const auto line = parse_line(before);
  if (!line || (!line->unknown.empty())) return {};
  const Flag* flag = waiting.empty() ? nullptr : find_flag(line->command, waiting);
  if (flag != nullptr && flag->value.empty()) flag = nullptr;  // a switch: the next word is its own
  if (const auto equals = current.find('=');
      flag == nullptr && current.starts_with("--") && equals != current.npos) {
    flag = find_flag(line->command, current.substr(0, equals));
    if (flag == nullptr) return {};
    current.erase(0, equals + 1);  // bash replaces only what stands behind the '='
  }
  if (flag != nullptr) return flag_values(*flag, current, *line, connect);
  if (current.starts_with('-')) return flag_names(line->command);
  if (line->topic) return topic_words(*line->topic);
  if (line->command == nullptr) return command_names(line->group);
  return argument_words(*line, current, connect);
}

}  // namespace

std::string_view bash_completion_script() {
  return kBashScript;
}

std::vector<std::string> complete(std::span<const std::string> words, const Connect& connect) {
  std::string current = words.empty() ? "" : words.back();
  Words before(words.begin(), words.empty() ? words.end() : words.end() - 1);
  Words found = candidates(std::move(before), current, connect);
  if (found.size() == 1 && found[0] == kCompleteFiles) return found;
  std::erase_if(found, [&](const std::string& word) { return !word.starts_with(current); });
  std::ranges::sort(found);
  return found;
}

}  // namespace volplugin::cli
