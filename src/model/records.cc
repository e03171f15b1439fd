// SPDX-License-Identifier: Apache-2.0
#include "model/records.h"

#include "model/filesystem_command.h"

#include <array>
#include <utility>

namespace volplugin::model {
namespace {

constexpr std::array<std::pair<Phase, std::string_view>, 5> kPhases{{{Phase::creating, "creating"},
                                                                     {Phase::adopting, "adopting"},
                                                                     {Phase::ready, "ready"},
                                                                     {Phase::removing, "removing"},
                                                                     {Phase::failed, "failed"}}};
constexpr std::array<std::pair<Layout, std::string_view>, 2> kLayouts{
    {{Layout::data, "data"}, {Layout::root, "root"}}};
constexpr std::array<std::pair<MountPhase, std::string_view>, 3> kMountPhases{
    {{MountPhase::mounted, "mounted"},
     {MountPhase::unmounting, "unmounting"},
     {MountPhase::fencing, "fencing"}}};

constexpr std::array<std::pair<SnapshotPhase, std::string_view>, 3> kSnapshotPhases{
    {{SnapshotPhase::taking, "taking"},
     {SnapshotPhase::ready, "ready"},
     {SnapshotPhase::removing, "removing"}}};

template <class Table, class Value>
std::string_view word_of(const Table& table, Value value) {
  for (const auto& [known, word] : table)
    if (known == value) return word;
  return "unknown";
}

template <class Value, class Table>
Result<Value> value_of(const Table& table, std::string_view word, std::string_view what) {
  for (const auto& [value, known] : table)
    if (known == word) return value;
  return make_error(Code::invalid_argument, fmt::format("unknown {} '{}'", what, printable(word)));
}

Error refuse(const Tenant& tenant, std::string_view field, std::string_view why) {
  return make_error(Code::invalid_argument,
                    fmt::format("tenant '{}': {}: {}", tenant.name.str(), field, why));
}

}  // namespace

std::string_view to_string(Phase phase) {
  return word_of(kPhases, phase);
}
Result<Phase> parse_phase(std::string_view word) {
  return value_of<Phase>(kPhases, word, "phase");
}
std::string_view to_string(Layout layout) {
  return word_of(kLayouts, layout);
}
Result<Layout> parse_layout(std::string_view word) {
  for (const auto& [layout, known] : kLayouts)
    if (known == word) return layout;
  return make_error(Code::invalid_argument, fmt::format("'{}' is not data or root", printable(word)));
}
std::string_view to_string(MountPhase phase) {
  return word_of(kMountPhases, phase);
}
Result<MountPhase> parse_mount_phase(std::string_view word) {
  return value_of<MountPhase>(kMountPhases, word, "mount phase");
}

std::string_view to_string(SnapshotPhase phase) {
  return word_of(kSnapshotPhases, phase);
}
Result<SnapshotPhase> parse_snapshot_phase(std::string_view word) {
  return value_of<SnapshotPhase>(kSnapshotPhases, word, "snapshot phase");
}

Result<Tenant> validate_tenant(Tenant tenant) {
  if (tenant.filesystems.empty()) tenant.filesystems.emplace(kDefaultFilesystem, kDefaultFilesystemCommand);
  for (const auto& [name, command] : tenant.filesystems) {
    TRY(check_filesystem_name(name, "filesystems"));
    TRY(check_filesystem_command(command, fmt::format("filesystems.{}", name)));
  }
  const OptionSet& defaults = tenant.defaults;
  if (!defaults.size)
    return refuse(tenant, "default-options.size", "is missing; set it, for example to \"10GB\"");
  if (defaults.filesystem && !defaults.filesystem->empty() &&
      !tenant.filesystems.contains(*defaults.filesystem)) {
    std::vector<std::string> names;
    for (const auto& [name, command] : tenant.filesystems) names.push_back(name);
    return refuse(tenant, "default-options.filesystem",
                  fmt::format("'{}' is not one of its filesystems ({})", printable(*defaults.filesystem),
                              fmt::join(names, ", ")));
  }
  if (defaults.snapshots.value_or(false) &&
      (!defaults.snapshot_frequency || *defaults.snapshot_frequency < std::chrono::seconds(1) ||
       defaults.snapshot_keep.value_or(0) == 0))
    return refuse(tenant, "default-options.snapshot",
                  "snapshots are on, so frequency (at least 1s) and keep (at least 1) must be set");
  return tenant;
}

}  // namespace volplugin::model
