// SPDX-License-Identifier: Apache-2.0
#include "model/options.h"

#include "model/duration.h"
#include "model/filesystem_command.h"
#include "model/names.h"
#include "model/size.h"

#include <charconv>
#include <functional>
#include <limits>

namespace volplugin::model {
namespace {

template <class Number>
Result<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size())
    return make_error(Code::invalid_argument,
                      fmt::format("'{}' is not a whole number from 0 to {}", printable(text),
                                  std::numeric_limits<Number>::max()));
  return number;
}

using Setter = std::function<Result<>(OptionSet&, const std::string&)>;

template <class Field, class Parse>
Setter setter(std::optional<Field> OptionSet::* field, Parse parse) {
  return [field, parse](OptionSet& set, const std::string& text) -> Result<> {
    set.*field = TRY(parse(text));
    return {};
  };
}

Result<std::string> parse_name(std::string_view text) {
  TRY(check_filesystem_name(text, "filesystem"));
  return std::string(text);
}

Result<std::string> parse_node(std::string_view text) {
  return TRY(NodeTag::parse(text)).str();
}

// A pool's own rule is its backend's; here only what no pool name may contain.
Result<std::string> parse_word(std::string_view text) {
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f)
      return make_error(
          Code::invalid_argument,
          fmt::format("'{}' contains a blank, control or non-ASCII character", printable(text)));
  if (text.size() > 255) return make_error(Code::invalid_argument, "is longer than 255 characters");
  return std::string(text);
}

const std::map<std::string, Setter, std::less<>>& setters() {
  const auto size = [](const std::string& text) { return parse_size(text, BareNumber::mebibytes); };
  static const std::map<std::string, Setter, std::less<>> table{
      {"backend", setter(&OptionSet::backend, parse_word)},
      {"pool", setter(&OptionSet::pool, parse_word)},
      {"size", setter(&OptionSet::size, size)},
      {"filesystem", setter(&OptionSet::filesystem, parse_name)},
      {"ephemeral", setter(&OptionSet::ephemeral, parse_bool)},
      {"snapshots", setter(&OptionSet::snapshots, parse_bool)},
      {"snapshots.frequency", setter(&OptionSet::snapshot_frequency, parse_duration)},
      {"snapshots.keep", setter(&OptionSet::snapshot_keep, parse_number<std::uint32_t>)},
      {"mount-wait", setter(&OptionSet::mount_wait, parse_mount_wait)},
      {"takeover", setter(&OptionSet::takeover, parse_takeover)},
      {"node", setter(&OptionSet::node, parse_node)},
      {"rate-limit.write.iops", setter(&OptionSet::write_iops, parse_number<std::uint64_t>)},
      {"rate-limit.read.iops", setter(&OptionSet::read_iops, parse_number<std::uint64_t>)},
      {"rate-limit.write.bps", setter(&OptionSet::write_bps, parse_number<std::uint64_t>)},
      {"rate-limit.read.bps", setter(&OptionSet::read_bps, parse_number<std::uint64_t>)},
  };
  return table;
}

}  // namespace

Result<bool> parse_bool(std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == word) return true;
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == word) return false;
  return make_error(Code::invalid_argument,
                    fmt::format("'{}' is not true or false (1 t true 0 f false)", printable(text)));
}

Result<std::chrono::nanoseconds> parse_mount_wait(std::string_view text) {
  const auto wait = TRY(parse_duration(text));
  if (wait > kMaxMountWait)
    return make_error(Code::invalid_argument,
                      fmt::format("'{}' is longer than {}", printable(text), format_duration(kMaxMountWait)));
  return wait;
}

std::string_view to_string(Takeover takeover) {
  return takeover == Takeover::automatic ? "auto" : "manual";
}

Result<Takeover> parse_takeover(std::string_view word) {
  for (const Takeover takeover : {Takeover::automatic, Takeover::manual})
    if (word == to_string(takeover)) return takeover;
  return make_error(Code::invalid_argument, fmt::format("'{}' is not auto or manual", printable(word)));
}

const std::vector<std::string>& driver_option_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> names;
    for (const auto& [name, set] : setters()) names.push_back(name);
    return names;
  }();
  return keys;
}

Result<OptionSet> parse_driver_options(const std::map<std::string, std::string>& options) {
  OptionSet set;
  for (const auto& [key, value] : options) {
    const auto found = setters().find(key);
    if (found == setters().end())
      return make_error(Code::invalid_argument,
                        fmt::format("unknown option '{}'; the options are {}", printable(key),
                                    fmt::join(driver_option_keys(), ", ")));
    if (value.empty() && key != "size") continue;
    TRY_CTX(found->second(set, value), "option {}", key);
  }
  return set;
}

Result<VolumeOptions> resolve_options(const OptionSet& policy, const OptionSet& asked,
                                      const ServerDefaults& defaults) {
  const auto pick = [](const auto& first, const auto& second, auto fallback) {
    return first ? *first : second ? *second : fallback;
  };
  VolumeOptions out;
  out.backend = pick(asked.backend, policy.backend, defaults.backend);
  // A policy's pool belongs to the policy's backend; another backend has its own default pool.
  const bool same_backend = out.backend == policy.backend.value_or(defaults.backend);
  const auto pool = defaults.pools.find(out.backend);
  out.pool = pick(asked.pool, same_backend ? policy.pool : std::nullopt,
                  pool == defaults.pools.end() ? std::string() : pool->second);
  out.size = pick(asked.size, policy.size, Bytes{});
  out.filesystem = pick(asked.filesystem, policy.filesystem, std::string(kDefaultFilesystem));
  if (out.filesystem.empty()) out.filesystem = kDefaultFilesystem;
  out.ephemeral = pick(asked.ephemeral, policy.ephemeral, false);
  out.snapshots = pick(asked.snapshots, policy.snapshots, false);
  out.snapshot_frequency =
      pick(asked.snapshot_frequency, policy.snapshot_frequency, std::chrono::nanoseconds(0));
  out.snapshot_keep = pick(asked.snapshot_keep, policy.snapshot_keep, std::uint32_t{0});
  out.rate_limit.write_iops = pick(asked.write_iops, policy.write_iops, std::uint64_t{0});
  out.rate_limit.read_iops = pick(asked.read_iops, policy.read_iops, std::uint64_t{0});
  out.rate_limit.write_bps = pick(asked.write_bps, policy.write_bps, std::uint64_t{0});
  out.rate_limit.read_bps = pick(asked.read_bps, policy.read_bps, std::uint64_t{0});
  out.mount_wait = pick(asked.mount_wait, policy.mount_wait, std::chrono::nanoseconds(0));
  out.takeover = pick(asked.takeover, policy.takeover, Takeover::automatic);
  if (out.pool.empty())
    return make_error(Code::invalid_argument,
                      fmt::format("No Pool specified: name one in the policy's default-options, with --opt "
                                  "pool=NAME, or start the server with --default-pool {}=NAME",
                                  out.backend));
  if (out.size.count == 0)
    return make_error(Code::invalid_argument,
                      "size: the policy has none; set default-options.size or --opt size=10GB");
  if (out.snapshots && (out.snapshot_frequency < std::chrono::seconds(1) || out.snapshot_keep == 0))
    return make_error(Code::invalid_argument,
                      "snapshots are on, but snapshot frequency is under 1s or keep is 0: set both, for "
                      "example frequency 30m and keep 20");
  return out;
}

OptionSet as_option_set(const VolumeOptions& options) {
  OptionSet set;
  set.backend = options.backend;
  set.pool = options.pool;
  set.size = options.size;
  set.filesystem = options.filesystem;
  set.ephemeral = options.ephemeral;
  set.snapshots = options.snapshots;
  set.snapshot_frequency = options.snapshot_frequency;
  set.snapshot_keep = options.snapshot_keep;
  set.write_iops = options.rate_limit.write_iops;
  set.read_iops = options.rate_limit.read_iops;
  set.write_bps = options.rate_limit.write_bps;
  set.read_bps = options.rate_limit.read_bps;
  if (options.mount_wait.count() > 0) set.mount_wait = options.mount_wait;
  if (options.takeover != Takeover::automatic) set.takeover = options.takeover;
  return set;
}

std::string difference(const VolumeOptions& existing, const VolumeOptions& asked) {
  std::vector<std::string> parts;
  const auto compare = [&](std::string_view what, const auto& is, const auto& wanted) {
    if (is != wanted) parts.push_back(fmt::format("{} is {}, not {}", what, is, wanted));
  };
  compare("backend", existing.backend, asked.backend);
  compare("pool", existing.pool, asked.pool);
  compare("size", format_size(existing.size), format_size(asked.size));
  compare("filesystem", existing.filesystem, asked.filesystem);
  compare("ephemeral", existing.ephemeral, asked.ephemeral);
  compare("snapshots", existing.snapshots, asked.snapshots);
  compare("snapshots.frequency", format_duration(existing.snapshot_frequency),
          format_duration(asked.snapshot_frequency));
  compare("snapshots.keep", existing.snapshot_keep, asked.snapshot_keep);
  compare("rate-limit.write.iops", existing.rate_limit.write_iops, asked.rate_limit.write_iops);
  compare("rate-limit.read.iops", existing.rate_limit.read_iops, asked.rate_limit.read_iops);
  compare("rate-limit.write.bps", existing.rate_limit.write_bps, asked.rate_limit.write_bps);
  compare("rate-limit.read.bps", existing.rate_limit.read_bps, asked.rate_limit.read_bps);
  compare("mount-wait", format_duration(existing.mount_wait), format_duration(asked.mount_wait));
  compare("takeover", to_string(existing.takeover), to_string(asked.takeover));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace volplugin::model
