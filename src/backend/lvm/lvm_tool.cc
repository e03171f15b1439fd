// SPDX-License-Identifier: Apache-2.0
#include "backend/lvm/lvm_tool.h"

namespace volplugin::backend {
namespace {

// A report has about 400 bytes a volume.
constexpr Bytes kReportCap = Bytes::mib(32);

std::string equals(std::string_view column, const std::string& value) {
  return fmt::format("{}=\"{}\"", column, value);  // names have no quotes: lvm_names.h
}

}  // namespace

namespace lvm_argv {

Argv create(const LvmPool& pool, const std::string& volume, Bytes size,
            const std::vector<std::string>& tags) {
  const std::string bytes = fmt::format("{}b", size.count);
  Argv argv{"lvcreate", "-y", "-Wy", "-n", volume};
  for (const auto& tag : tags) argv.insert(argv.end(), {"--addtag", tag});
  if (pool.thin())
    argv.insert(argv.end(), {"-V", bytes, "--thinpool", pool.thin_pool});
  else
    argv.insert(argv.end(), {"-Zy", "-L", bytes});
  argv.push_back(pool.group);
  return argv;
}

Argv remove(const std::string& group, const std::string& volume) {
  return {"lvremove", "-y", group + "/" + volume};
}

// -K: also one that is marked to be left out of activation, as thin snapshots are.
Argv activate(const std::string& group, const std::string& volume) {
  return {"lvchange", "-y", "-ay", "-K", group + "/" + volume};
}

Argv report_volumes(const std::string& group, const std::string& volume) {
  Argv argv{"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", std::string(kVolumeColumns)};
  if (!volume.empty()) argv.insert(argv.end(), {"-S", equals("lv_name", volume)});
  argv.push_back(group);
  return argv;
}

Argv report_groups(const std::string& group) {
  Argv argv{"vgs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", std::string(kGroupColumns)};
  if (!group.empty()) argv.insert(argv.end(), {"-S", equals("vg_name", group)});
  return argv;
}

}  // namespace lvm_argv

Result<os::Outcome> LvmTool::run(const Op& op, lvm_argv::Argv argv) {
  auto said =
      runner_(op, {.argv = std::move(argv), .stdin_data = "", .output_cap = kReportCap, .package = "lvm2"});
  // A program that is missing is no volume that is missing.
  if (!said && said.error().code == Code::not_found) said.error().code = Code::unsupported;
  return said;
}

Result<os::Outcome> LvmTool::change(const Op& op, const std::string& group, lvm_argv::Argv argv) {
  const auto turn = TRY_CTX(changes_.enter(op, group), "waiting for volume group '{}'", group);
  return run(op, std::move(argv));
}

Result<os::Outcome> LvmTool::create(const Op& op, const LvmPool& pool, const std::string& volume, Bytes size,
                                    const std::vector<std::string>& tags) {
  return change(op, pool.group, lvm_argv::create(pool, volume, size, tags));
}

Result<os::Outcome> LvmTool::remove(const Op& op, const std::string& group, const std::string& volume) {
  return change(op, group, lvm_argv::remove(group, volume));
}

Result<os::Outcome> LvmTool::activate(const Op& op, const std::string& group, const std::string& volume) {
  return change(op, group, lvm_argv::activate(group, volume));
}

Result<std::vector<LvmVolume>> LvmTool::report(const Op& op, const std::string& group,
                                               const std::string& volume) {
  const auto said = TRY(run(op, lvm_argv::report_volumes(group, volume)));
  if (!said.succeeded()) {
    TRY(this->group(op, group));  // a group that does not exist is the usual reason
    return make_error(Code::unavailable, fmt::format("lvs '{}': {}", group, said.describe()));
  }
  if (said.truncated) return make_error(Code::corrupt, fmt::format("the report of '{}' is too long", group));
  return parse_volume_report(said.out);
}

Result<std::vector<LvmVolume>> LvmTool::volumes(const Op& op, const std::string& group) {
  return report(op, group, "");
}

Result<std::optional<LvmVolume>> LvmTool::volume(const Op& op, const std::string& group,
                                                 const std::string& volume) {
  auto found = TRY(report(op, group, volume));
  if (found.empty()) return std::optional<LvmVolume>();
  return std::optional(std::move(found.front()));
}

Result<LvmGroup> LvmTool::group(const Op& op, const std::string& name) {
  const auto said = TRY(run(op, lvm_argv::report_groups(name)));
  if (!said.succeeded())
    return make_error(Code::unavailable, fmt::format("vgs '{}': {}", name, said.describe()));
  for (auto& group : TRY(parse_group_report(said.out)))
    if (group.name == name) return std::move(group);
  return make_error(Code::not_found, fmt::format("volume group '{}' does not exist on this host", name));
}

}  // namespace volplugin::backend
