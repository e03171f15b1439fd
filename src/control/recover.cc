// SPDX-License-Identifier: Apache-2.0
// Recovery: what a crash of any process, or a node that was away, left half done.
#include "control/control_plane.h"

#include <set>

namespace volplugin::control {
namespace {

// The work of a node or a backend that hangs must not hold up the others'. What takes longer runs on, and is
// found done by a later step.
constexpr Millis kPartTimeout{20'000};

}  // namespace

struct ControlPlane::Recovering {
  std::vector<std::string> left;
  std::set<std::string> silent;  // nodes and backends that did not answer in this step

  // `part`: whose work it is; `what`: "volume 'a/b' stays creating".
  void note(const std::string& part, std::string_view what, const Result<>& done) {
    if (done) return;
    if (done.error().code == Code::deadline_exceeded) silent.insert(part);
    left.push_back(fmt::format("{}: {}", what, done.error().message));
  }
};

Result<> ControlPlane::bring_to_rest(const Op& op, const VolumeRecord& record) {
  switch (record->value.phase) {
    case model::Phase::creating:
    case model::Phase::failed:
      return undo_create(op, record);
    case model::Phase::adopting:
      return undo_adoption(op, record);
    case model::Phase::removing:
      return finish_removal(op, record);
    case model::Phase::ready:
      return {};
  }
  return make_error(Code::internal, "unknown phase");
}

std::vector<std::string> ControlPlane::recover_step(const Op& op) {
  Recovering recovering;
  recover_volumes(op, recovering);
  recover_snapshots(op, recovering);
  recovering.note("", "records of snapshots stay without their volumes", forget_orphans(op));
  return std::move(recovering.left);
}

void ControlPlane::recover_volumes(const Op& op, Recovering& recovering) {
  for (const auto& seen : parts_.catalog.volumes.list_not_at_rest()) {
    if (!op.check("recovering")) break;
    const std::string name = seen->value.id.name();
    const auto turn = queue_.try_enter(name);
    if (!turn) continue;  // a call works on it right now
    const auto record = parts_.catalog.volumes.find(name);
    if (!record || record->value.phase == model::Phase::ready) continue;
    if (presence_.other_is_there(op, record->value.worker).value_or(true)) continue;
    const bool elsewhere = record->value.node && record->value.node != settings_.local_node;
    const std::string part =
        elsewhere ? "node " + record->value.node->str() : "backend " + record->value.options.backend;
    if (recovering.silent.contains(part)) continue;
    const auto done = bring_to_rest(op.with_timeout(kPartTimeout), record);
    recovering.note(part, fmt::format("volume '{}' stays {}", name, to_string(record->value.phase)), done);
  }
}

void ControlPlane::recover_snapshots(const Op& op, Recovering& recovering) {
  for (const auto& seen : parts_.catalog.snapshots.list_not_at_rest()) {
    if (!op.check("recovering")) break;
    const std::string volume_name = seen->value.id.volume.name();
    const auto turn = queue_.try_enter(volume_name);
    if (!turn) continue;
    const auto record = parts_.catalog.snapshots.find(seen->value.id.text());
    if (!record || record->value.phase == model::SnapshotPhase::ready) continue;
    if (presence_.other_is_there(op, record->value.worker).value_or(true)) continue;
    const auto volume = parts_.catalog.volumes.find(volume_name);
    const std::string part = volume ? "backend " + volume->value.options.backend : "";
    if (recovering.silent.contains(part)) continue;
    const auto done = bring_to_rest(op.with_timeout(kPartTimeout), record);
    recovering.note(
        part, fmt::format("snapshot '{}' stays {}", record->value.id.text(), to_string(record->value.phase)),
        done);
  }
}

}  // namespace volplugin::control
