// SPDX-License-Identifier: Apache-2.0
// Mount records: who holds a volume writable. Made in one compare-and-swap (INV-2).
#include "control/control_plane.h"

#include <algorithm>

namespace volplugin::control {
namespace {

constexpr int kMaxTries = 8;  // a guard fails only when another change won; that many in a row is a defect

Error not_mounted(const model::VolumeId& id) {
  return make_error(Code::not_found, fmt::format("volume '{}' is not mounted anywhere", id.name()));
}

Error held_elsewhere(const model::Mount& mount) {
  return make_error(Code::conflict,
                    fmt::format("volume '{}' is mounted on node '{}' since {}: one host at a time",
                                mount.volume.name(), mount.node.str(), format_rfc3339(mount.since)));
}

// Repeats a compare-and-swap that lost against another change.
template <class Attempt>
auto with_retries(const Op& op, Attempt attempt) -> decltype(attempt()) {
  for (int tries = 1;; ++tries) {
    auto result = attempt();
    if (result || result.error().code != Code::conflict || tries == kMaxTries) return result;
    TRY(op.check("changing a mount record"));
  }
}

void add_use(std::vector<model::Use>& uses, const model::Use& use) {
  const auto same = [&](const model::Use& known) { return known.id == use.id; };
  if (std::none_of(uses.begin(), uses.end(), same)) uses.push_back(use);
}

}  // namespace

Result<model::Record<model::Mount>> ControlPlane::acquire_mount(const Op& op,
                                                                const service::AcquireMount& request) {
  auto& mounts = parts_.catalog.mounts;
  const std::string name = request.volume.name();
  const auto attempt = [&]() -> Result<model::Record<model::Mount>> {
    const auto volume = TRY(get_volume(op, request.volume));
    if (volume->value.phase != model::Phase::ready)
      return make_error(Code::busy, fmt::format("volume '{}' is {}", name, to_string(volume->value.phase)));
    if (volume->value.node && *volume->value.node != request.node)
      return make_error(Code::unsupported,
                        fmt::format("volume '{}' is kept on node '{}' and can be used only there", name,
                                    volume->value.node->str()));
    const auto held = mounts.find(name);
    catalog::Edit edit;
    if (held) {
      if (held->value.node != request.node) return held_elsewhere(held->value);
      model::Mount again = held->value;
      again.phase = model::MountPhase::mounted;
      again.message.clear();
      add_use(again.uses, request.use);
      edit.require(held).put(mounts, std::move(again));
    } else {
      model::Mount mount{request.volume, volume->value.uid, request.node};
      // Every earlier mount record of the volume was made at or before this revision, also by another
      // volmaster, of which our cache need not know yet.
      mount.fencing = TRY(parts_.catalog.store_revision(op)) + 1;
      mount.mount_point = request.mount_point;
      mount.uses = {request.use};
      mount.since = parts_.clock.wall();
      edit.require(volume).require_absent<model::Mount>(name).put(mounts, std::move(mount));
    }
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return mounts.find(name);
  };
  return with_retries(op, attempt);
}

Result<model::Record<model::Mount>> ControlPlane::update_mount(const Op& op,
                                                               const service::UpdateMount& request) {
  auto& mounts = parts_.catalog.mounts;
  const auto attempt = [&]() -> Result<model::Record<model::Mount>> {
    const auto held = mounts.find(request.volume.name());
    if (!held) return not_mounted(request.volume);
    if (held->value.node != request.node) return held_elsewhere(held->value);
    model::Mount changed = held->value;
    changed.phase = request.phase;
    changed.message = request.message;
    changed.uses = request.uses;
    catalog::Edit edit;
    edit.require(held).put(mounts, std::move(changed));
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return mounts.find(request.volume.name());
  };
  return with_retries(op, attempt);
}

Result<> ControlPlane::release_mount(const Op& op, const model::VolumeId& id, const model::NodeName& node) {
  auto& mounts = parts_.catalog.mounts;
  const auto attempt = [&]() -> Result<> {
    const auto held = mounts.find(id.name());
    if (!held) return {};
    if (held->value.node != node) return held_elsewhere(held->value);
    catalog::Edit edit;
    edit.require(held).erase(mounts, id.name());
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return {};
  };
  return with_retries(op, attempt);
}

// Of a holder that is not known to be dead.
Result<> ControlPlane::refuse_if_alive(const model::Mount& mount) const {
  if (!settings_.break_glass && !connected(mount.node)) return {};
  return make_error(
      Code::busy,
      fmt::format(
          "node '{0}', which holds volume '{1}', {2}: without its record a second node may mount the "
          "volume, two write to it, and its data is lost; stop the containers that use it, or say --yes "
          "(confirmed=true) if node '{0}' certainly does not write any more",
          mount.node.str(), mount.volume.name(),
          settings_.break_glass ? "may be alive (only a volmaster could tell)" : "is connected"));
}

Result<> ControlPlane::forget_mount(const Op& op, const model::VolumeId& id, service::Confirmed confirmed) {
  const auto held = parts_.catalog.mounts.find(id.name());
  if (!held) return not_mounted(id);
  if (confirmed == service::Confirmed::no) TRY(refuse_if_alive(held->value));
  catalog::Edit edit;
  edit.require(held).erase(parts_.catalog.mounts, id.name());
  TRY(parts_.catalog.commit(op, std::move(edit)));
  return {};
}

Result<model::Record<model::Mount>> ControlPlane::get_mount(const Op&, const model::VolumeId& id) {
  auto held = parts_.catalog.mounts.find(id.name());
  if (!held) return not_mounted(id);
  return held;
}

Result<service::Page<model::Mount>> ControlPlane::list_mounts(const Op&, const service::ListQuery& query) {
  const std::string prefix = query.tenant.empty() ? "" : query.tenant + "/";
  return parts_.catalog.mounts.list(prefix, query.after, query.limit);
}

}  // namespace volplugin::control
