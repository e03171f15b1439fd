// SPDX-License-Identifier: Apache-2.0
// Nodes, their tasks, and the state of the whole.
#include "control/control_plane.h"

namespace volplugin::control {
namespace {

std::string_view operation_in(model::Phase phase) {
  if (phase == model::Phase::adopting) return "adopt";
  return phase == model::Phase::removing ? "remove" : "create";
}

}  // namespace

Result<model::Record<model::Node>> ControlPlane::get_node(const Op& op, const model::NodeName& name) {
  const auto stored = TRY(look_up(op, parts_.catalog.nodes, name.str()));
  if (!stored) return make_error(Code::not_found, fmt::format("node '{}' is not known", name.str()));
  model::Versioned<model::Node> shown = *stored;
  shown.value.lost = parts_.catalog.sessions.find(name.str()) == nullptr;
  shown.value.connected = connected(name);
  return std::make_shared<const model::Versioned<model::Node>>(std::move(shown));
}

bool ControlPlane::connected(const model::NodeName& name) const {
  // Whether it asks for work is known only as of its last call; that its session has ended, for sure.
  return settings_.local_node == name ||
         (parts_.tasks.connected(name) && parts_.catalog.sessions.find(name.str()));
}

Result<service::Page<model::Node>> ControlPlane::list_nodes(const Op& op, const service::ListQuery& query) {
  auto page = parts_.catalog.nodes.list("", query.after, query.limit);
  for (auto& node : page.items) node = TRY(get_node(op, node->value.name));
  return page;
}

void ControlPlane::next_task(const Op&, const model::NodeName& node, Millis wait, TaskCallback callback) {
  parts_.tasks.next(node, wait, std::move(callback));
}

Result<> ControlPlane::finish_task(const Op&, const model::NodeName& node,
                                   const service::TaskResult& result) {
  return parts_.tasks.finish(node, result);
}

Result<std::vector<model::Operation>> ControlPlane::list_operations(const Op&) {
  std::vector<model::Operation> operations;
  for (const auto& record : parts_.catalog.volumes.list_not_at_rest()) {
    const auto& volume = record->value;
    operations.push_back({volume.operation, std::string(operation_in(volume.phase)), volume.id.name(),
                          volume.phase == model::Phase::failed ? "failed" : "running", volume.message,
                          volume.changed_at});
  }
  for (const auto& record : parts_.catalog.mounts.list_not_at_rest()) {
    const auto& mount = record->value;
    if (mount.phase != model::MountPhase::unmounting) continue;
    operations.push_back({fmt::format("unmount-{}", mount.fencing), "unmount", mount.volume.name(), "running",
                          mount.message, mount.since});
  }
  for (const auto& record : parts_.catalog.snapshots.list_not_at_rest()) {
    const auto& snapshot = record->value;
    const bool taking = snapshot.phase == model::SnapshotPhase::taking;
    operations.push_back({snapshot.operation, taking ? "snapshot" : "remove-snapshot", snapshot.id.text(),
                          "running", snapshot.message, snapshot.changed_at});
  }
  return operations;
}

Result<model::Operation> ControlPlane::get_operation(const Op& op, const std::string& id) {
  for (auto& operation : TRY(list_operations(op)))
    if (operation.id == id) return std::move(operation);
  return make_error(
      Code::not_found,
      fmt::format("operation '{}' is not under way: it ended, or there was none", model::printable(id)));
}

Result<service::Health> ControlPlane::health(const Op& op) {
  service::Health health{true, "ok", settings_.version};
  if (!settings_.store.empty()) health.store += " (" + settings_.store + ")";
  if (const auto answered = parts_.catalog.store_revision(op); !answered) {
    health.ok = false;
    health.store = answered.error().message;
  } else if (const auto problems = parts_.catalog.problems(); !problems.empty()) {
    health.store = fmt::format("{} records cannot be read; the first: {}", problems.size(), problems.front());
  }
  return health;
}

std::shared_ptr<service::StorageWork> ControlPlane::work_of(const model::Volume& volume) const {
  if (volume.node && volume.node != settings_.local_node) return parts_.tasks.node(*volume.node);
  return {std::shared_ptr<void>(), &parts_.local_work};  // not owned: it outlives every call
}

}  // namespace volplugin::control
