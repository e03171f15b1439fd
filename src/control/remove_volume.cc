// SPDX-License-Identifier: Apache-2.0
// Remove: record `removing` -> delete the storage -> no record. Also get and list, which change nothing.
#include "base/faults.h"
#include "control/control_plane.h"

namespace volplugin::control {
namespace {

Error no_volume(const model::VolumeId& id) {
  return make_error(Code::not_found, fmt::format("volume '{}' does not exist", id.name()));
}

}  // namespace

Result<model::Record<model::Volume>> ControlPlane::get_volume(const Op& op, const model::VolumeId& id) {
  auto record = TRY(look_up(op, parts_.catalog.volumes, id.name()));
  if (!record) return no_volume(id);
  return record;
}

Result<service::Page<model::Volume>> ControlPlane::list_volumes(const Op&, const service::ListQuery& query) {
  const std::string prefix = query.tenant.empty() ? "" : query.tenant + "/";
  return parts_.catalog.volumes.list(prefix, query.after, query.limit);
}

Result<> ControlPlane::remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) {
  const auto turn = TRY(queue_.enter(op, id.name()));
  if (mode != service::RemoveMode::forget_record) TRY(wait_for_others(op, id));
  const auto record = TRY(look_up(op, parts_.catalog.volumes, id.name()));
  if (!record) return no_volume(id);
  if (mode == service::RemoveMode::forget_record) {
    catalog::Edit edit;
    edit.require(record).erase(parts_.catalog.volumes, id.name());
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return forget_snapshots(op, record->value);
  }
  TRY(refuse_if_mounted(op, id));
  if (mode == service::RemoveMode::if_ephemeral && !record->value.options.ephemeral) return {};
  switch (record->value.phase) {
    case model::Phase::ready:
      return delete_volume(op, record);
    case model::Phase::removing:
      return finish_removal(op, record);
    case model::Phase::creating:
    case model::Phase::failed:
      return undo_create(op, record);
    case model::Phase::adopting:
      return undo_adoption(op, record);
  }
  return make_error(Code::internal, "unknown phase");
}

Result<> ControlPlane::refuse_if_mounted(const Op& op, const model::VolumeId& id) {
  if (parts_.catalog.mounts.find(id.name()) && !settings_.alone)
    TRY(parts_.catalog.refresh(op, parts_.catalog.mounts, id.name()));  // it may have been released elsewhere
  const auto mount = parts_.catalog.mounts.find(id.name());
  if (!mount) return {};
  std::vector<std::string> uses;
  for (const auto& use : mount->value.uses)
    uses.push_back(fmt::format("container mount {} since {}", use.id.str(), format_rfc3339(use.since)));
  if (mount->value.phase == model::MountPhase::unmounting)
    uses.push_back(fmt::format("being unmounted: {}", mount->value.message));
  return make_error(Code::busy,
                    fmt::format("volume '{}' is mounted on node '{}' since {} ({}): stop its containers "
                                "first",
                                id.name(), mount->value.node.str(), format_rfc3339(mount->value.since),
                                fmt::join(uses, ", ")));
}

Result<> ControlPlane::delete_volume(const Op& op, const VolumeRecord& record) {
  model::Volume removing = record->value;
  removing.phase = model::Phase::removing;
  removing.operation = op.request_id();
  TRY(presence_.announce(op));
  removing.worker = presence_.name();
  removing.message.clear();
  removing.changed_at = parts_.clock.wall();
  catalog::Edit edit;
  // A mount that comes between our look and this commit makes the guard fail.
  edit.require(record).require_absent<model::Mount>(removing.id.name()).put(parts_.catalog.volumes, removing);
  const auto recorded = parts_.catalog.commit(op, std::move(edit));
  if (!recorded) {
    if (recorded.error().code != Code::conflict) return recorded.error();
    TRY(refresh_mount(op, removing.id));
    TRY(refuse_if_mounted(op, removing.id));
    return make_error(
        Code::conflict,
        fmt::format("volume '{}' was changed meanwhile: look at it and try again", removing.id.name()));
  }
  const auto pending = catalog::as_committed(std::move(removing), *recorded);
  TRY(faults::hit(Fault::remove_recorded));
  const auto removed = finish_removal(op, pending);
  if (removed || removed.error().code != Code::busy || removed.error().effect != Effect::none) return removed;
  // In use by something that holds no mount record (a mount made by hand): nothing was deleted.
  TRY(store(op.for_cleanup(kSettleTimeout), pending, record->value));
  return removed;
}

Result<> ControlPlane::finish_removal(const Op& op, const VolumeRecord& record) {
  const auto mine = TRY(take_charge(op, record));
  TRY_CTX(work_of(mine->value)->remove(op, mine->value), "removing volume '{}'", mine->value.id.name());
  TRY(forget_snapshots(op, mine->value));
  catalog::Edit edit;
  edit.require(mine).erase(parts_.catalog.volumes, mine->value.id.name());
  TRY(parts_.catalog.commit(op, std::move(edit)));
  return faults::hit(Fault::remove_acknowledged);
}

}  // namespace volplugin::control
