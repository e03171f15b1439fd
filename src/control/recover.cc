// SPDX-License-Identifier: Apache-2.0
// Recovery: what a crash of any process, or a node that was away, left half done.
#include "control/control_plane.h"

#include <set>

namespace volplugin::control {
namespace {

constexpr Millis kNodeTimeout{20'000};  // the work of a node that hangs must not hold up the others'

}  // namespace

std::vector<std::string> ControlPlane::recover_step(const Op& op) {
  std::vector<std::string> left;
  std::set<std::string> silent;  // nodes that did not answer in this step
  for (const auto& seen : parts_.catalog.volumes.list_not_at_rest()) {
    if (!op.check("recovering")) break;
    const std::string name = seen->value.id.name();
    const auto turn = queue_.try_enter(name);
    if (!turn) continue;  // a call works on it right now
    const auto record = parts_.catalog.volumes.find(name);
    if (!record || record->value.phase == model::Phase::ready) continue;
    if (presence_.other_is_there(op, record->value.worker).value_or(true)) continue;
    const bool elsewhere = record->value.node && record->value.node != settings_.local_node;
    if (elsewhere && silent.contains(record->value.node->str())) continue;
    const Op its_op = elsewhere ? op.with_timeout(kNodeTimeout) : op;
    const bool removing = record->value.phase == model::Phase::removing;
    const auto done = removing ? finish_removal(its_op, record) : undo_create(its_op, record);
    if (!done && elsewhere && done.error().code == Code::deadline_exceeded)
      silent.insert(record->value.node->str());
    if (!done)
      left.push_back(fmt::format("volume '{}' stays {}: {}", name, to_string(record->value.phase),
                                 done.error().message));
  }
  return left;
}

}  // namespace volplugin::control
