// SPDX-License-Identifier: Apache-2.0
// Mount records: who holds a volume writable. Made in one compare-and-swap (INV-2), which also proves that
// the node's session is alive.
#include "control/control_plane.h"

#include <algorithm>

namespace volplugin::control {
namespace {

Error not_mounted(const model::VolumeId& id) {
  return make_error(Code::not_found, fmt::format("volume '{}' is not mounted anywhere", id.name()));
}

Error held_elsewhere(const model::Mount& mount) {
  return make_error(Code::conflict,
                    fmt::format("volume '{}' is mounted on node '{}' since {}: one host at a time",
                                mount.volume.name(), mount.node.str(), format_rfc3339(mount.since)));
}

Error claimed_otherwise(const model::Mount& mount) {
  return make_error(Code::conflict,
                    fmt::format("volume '{}' is mounted on node '{}' under another claim, since {}",
                                mount.volume.name(), mount.node.str(), format_rfc3339(mount.since)));
}

Error lost_the_right(const model::VolumeId& id, const model::NodeName& node) {
  return make_error(Code::conflict,
                    fmt::format("node '{}' lost its right to volume '{}': its session ended and "
                                "the mount was taken over or removed",
                                node.str(), id.name()));
}

Error needs_a_person(const model::Mount& mount, const std::string& why) {
  return make_error(
      Code::conflict,
      fmt::format("volume '{}' is mounted on node '{}', which is lost, and {}: make sure that the "
                  "host is down, then `volcli mount force-remove {}`",
                  mount.volume.name(), mount.node.str(), why, mount.volume.name()));
}

void add_use(std::vector<model::Use>& uses, const model::Use& use) {
  const auto same = [&](const model::Use& known) { return known.id == use.id; };
  if (std::none_of(uses.begin(), uses.end(), same)) uses.push_back(use);
}

}  // namespace

Result<> ControlPlane::refresh_mount(const Op& op, const model::VolumeId& id) {
  TRY(op.check("changing a mount record"));
  const auto before = parts_.catalog.mounts.find(id.name());
  TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, id.name()));
  TRY(parts_.catalog.refresh(op, parts_.catalog.mounts, id.name()));
  const auto now = parts_.catalog.mounts.find(id.name());
  // Whether a holder is alive is asked for together with who it is.
  for (const auto& held : {before, now})
    if (held) TRY(parts_.catalog.refresh(op, parts_.catalog.sessions, held->value.node.str()));
  return {};
}

// The first try trusts the cache, which may be behind other volmasters. What fails because of it, at its
// guards or by what it says, is tried again with what the store says.
template <class Attempt>
auto ControlPlane::with_fresh_records(const Op& op, const model::VolumeId& id, Attempt attempt)
    -> decltype(attempt()) {
  constexpr int kMaxTries = 8;  // a guard fails only when another change won; that many in a row is a defect
  for (int tries = 1;; ++tries) {
    auto result = attempt();
    const bool may_be_stale =
        !result && (result.error().code == Code::conflict || result.error().code == Code::not_found ||
                    result.error().code == Code::busy);
    if (!may_be_stale || tries == kMaxTries) return result;
    const std::string said = result.error().message;
    TRY(refresh_mount(op, id));
    result = attempt();
    // The same twice, with the store's records: it is true. (A guard that failed says another revision.)
    if (result || result.error().message == said) return result;
  }
}

Result<model::Record<model::Mount>> ControlPlane::acquire_mount(const Op& op,
                                                                const service::AcquireMount& request) {
  return with_fresh_records(op, request.volume, [&]() -> Result<model::Record<model::Mount>> {
    if (!live_session(request.node, request.session))
      TRY(parts_.catalog.refresh(op, parts_.catalog.sessions, request.node.str()));
    const auto session = TRY(live_session(request.node, request.session));
    const auto volume = TRY(usable_volume(op, request));
    const auto held = parts_.catalog.mounts.find(request.volume.name());
    if (held && held->value.node == request.node) return hold_again(op, session, held, request);
    if (request.only_if_claimed) return lost_the_right(request.volume, request.node);
    model::Mount mount{request.volume, volume->value.uid, request.node, request.session, request.claim};
    mount.mount_point = request.mount_point;
    mount.uses = {request.use};
    mount.since = parts_.clock.wall();
    catalog::Edit edit;
    edit.require(session).require(volume);
    if (held)
      edit.require(TRY(cut_off_holder(op, held, request.node)));
    else
      edit.require_absent<model::Mount>(request.volume.name());
    return commit_mount(op, std::move(edit), std::move(mount));
  });
}

Result<model::Record<model::Volume>> ControlPlane::usable_volume(const Op& op,
                                                                 const service::AcquireMount& request) {
  auto volume = TRY(get_volume(op, request.volume));
  if (volume->value.phase != model::Phase::ready)
    return make_error(
        Code::busy, fmt::format("volume '{}' is {}", request.volume.name(), to_string(volume->value.phase)));
  if (volume->value.node && *volume->value.node != request.node)
    return make_error(Code::unsupported,
                      fmt::format("volume '{}' is kept on node '{}' and can be used only there",
                                  request.volume.name(), volume->value.node->str()));
  return volume;
}

Result<model::Record<model::Mount>> ControlPlane::hold_again(const Op& op,
                                                             const model::Record<model::Session>& session,
                                                             const model::Record<model::Mount>& held,
                                                             const service::AcquireMount& request) {
  const bool claimed = held->value.claim == request.claim;
  if (request.only_if_claimed && !claimed) return lost_the_right(request.volume, request.node);
  // Which of the two is the newer one only the node can know: this request may have been held up for long.
  if (!claimed) return claimed_otherwise(held->value);
  if (held->value.phase == model::MountPhase::fencing) return lost_the_right(request.volume, request.node);
  model::Mount again = held->value;
  again.session = request.session;
  if (!request.only_if_claimed) {
    again.phase = model::MountPhase::mounted;
    again.message.clear();
    add_use(again.uses, request.use);
  }
  catalog::Edit edit;
  edit.require(session).require(held);
  return commit_mount(op, std::move(edit), std::move(again));
}

Result<model::Record<model::Mount>> ControlPlane::commit_mount(const Op& op, catalog::Edit edit,
                                                               model::Mount mount) {
  edit.put(parts_.catalog.mounts, mount);
  return catalog::as_committed(std::move(mount), TRY(parts_.catalog.commit(op, std::move(edit))));
}

// What may happen to a volume whose holder is lost. The record that the new holder's replaces: from its
// phase on the old holder can never get it back, so it is cut off before, and only before, somebody else
// writes (INV-4). Repeated after a crash anywhere in here it goes on.
Result<model::Record<model::Mount>> ControlPlane::cut_off_holder(const Op& op,
                                                                 model::Record<model::Mount> held,
                                                                 const model::NodeName& next) {
  const auto volume = TRY(get_volume(op, held->value.volume));
  const auto backend = parts_.backends.find(volume->value.options.backend);
  backend::Fencing* fencing = backend == parts_.backends.end() ? nullptr : backend->second->fencing();
  const bool marked_before = held->value.phase == model::MountPhase::fencing;
  if (!marked_before && parts_.catalog.sessions.find(held->value.node.str()))
    return held_elsewhere(held->value);
  if (fencing == nullptr)
    return needs_a_person(held->value,
                          fmt::format("backend '{}' cannot cut it off", volume->value.options.backend));
  if (!marked_before && volume->value.options.takeover == model::Takeover::manual)
    return needs_a_person(held->value, "the volume's option takeover is manual");
  if (!marked_before) {
    model::Mount marked = held->value;
    marked.phase = model::MountPhase::fencing;
    marked.message = fmt::format("taken over by node '{}'", next.str());
    catalog::Edit edit;
    edit.require(held).require_absent<model::Session>(held->value.node.str());
    held = TRY(commit_mount(op, std::move(edit), std::move(marked)));
  }
  TRY_CTX(fencing->fence(op, executor::key_of(volume->value), held->value.node.str()),
          "cutting off node '{}' from volume '{}'", held->value.node.str(), held->value.volume.name());
  return held;
}

// The node has let go of the image: what kept it away may go.
Result<> ControlPlane::lift_fence(const Op& op, const service::ReleaseMount& request) {
  const auto volume = parts_.catalog.volumes.find(request.volume.name());
  if (!volume) return {};
  const auto backend = parts_.backends.find(volume->value.options.backend);
  if (backend == parts_.backends.end() || backend->second->fencing() == nullptr) return {};
  return backend->second->fencing()->lift(op, executor::key_of(volume->value), request.node.str());
}

Result<model::Record<model::Mount>> ControlPlane::update_mount(const Op& op,
                                                               const service::UpdateMount& request) {
  return with_fresh_records(op, request.volume, [&]() -> Result<model::Record<model::Mount>> {
    const auto held = parts_.catalog.mounts.find(request.volume.name());
    if (!held) return not_mounted(request.volume);
    if (held->value.node != request.node) return held_elsewhere(held->value);
    if (held->value.claim != request.claim) return claimed_otherwise(held->value);
    if (held->value.phase == model::MountPhase::fencing) return lost_the_right(request.volume, request.node);
    model::Mount changed = held->value;
    changed.phase = request.phase;
    changed.message = request.message;
    changed.uses = request.uses;
    catalog::Edit edit;
    edit.require(held);
    return commit_mount(op, std::move(edit), std::move(changed));
  });
}

Result<> ControlPlane::release_mount(const Op& op, const service::ReleaseMount& request) {
  const auto& mounts = parts_.catalog.mounts;
  // The cache need not know of the mount that is given back, and "somebody else's" is an answer only for
  // sure.
  if (request.fenced || !mounts.find(request.volume.name())) TRY(refresh_mount(op, request.volume));
  return with_fresh_records(op, request.volume, [&]() -> Result<> {
    const auto held = mounts.find(request.volume.name());
    const bool own = held && held->value.node == request.node && held->value.claim == request.claim;
    const bool cut_off = request.fenced || (own && held->value.phase == model::MountPhase::fencing);
    if (cut_off) TRY(lift_fence(op, request));
    if (!held || (request.fenced && !own)) return {};
    if (held->value.node != request.node) return held_elsewhere(held->value);
    if (held->value.claim != request.claim) return claimed_otherwise(held->value);
    catalog::Edit edit;
    edit.require(held).erase(parts_.catalog.mounts, request.volume.name());
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return {};
  });
}

// Of a holder that is not known to be dead.
Result<> ControlPlane::refuse_if_alive(const model::Mount& mount) const {
  if (!parts_.catalog.sessions.find(mount.node.str()) && !connected(mount.node)) return {};
  return make_error(
      Code::busy,
      fmt::format(
          "node '{0}', which holds volume '{1}', is alive: without its record a second node may mount the "
          "volume, two write to it, and its data is lost; stop the containers that use it, or say --yes "
          "(confirmed=true) if node '{0}' certainly does not write any more",
          mount.node.str(), mount.volume.name()));
}

Result<> ControlPlane::forget_mount(const Op& op, const service::ForgetMount& request) {
  const std::string name = request.volume.name();
  // The cache need not know of the mount that is meant.
  if (!parts_.catalog.mounts.find(name)) TRY(refresh_mount(op, request.volume));
  return with_fresh_records(op, request.volume, [&]() -> Result<> {
    const auto held = parts_.catalog.mounts.find(name);
    if (!held && request.claim) return {};
    if (!held) return not_mounted(request.volume);
    if (request.claim && held->value.claim != *request.claim) return claimed_otherwise(held->value);
    catalog::Edit edit;
    edit.require(held).erase(parts_.catalog.mounts, name);
    if (request.confirmed == service::Confirmed::no) {
      TRY(refuse_if_alive(held->value));
      edit.require_absent<model::Session>(held->value.node.str());
    }
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return {};
  });
}

model::Record<model::Mount> ControlPlane::shown(const model::Record<model::Mount>& mount) const {
  if (!is_stale(mount->value)) return mount;
  auto copy = *mount;
  copy.value.stale = true;
  return std::make_shared<const model::Versioned<model::Mount>>(std::move(copy));
}

Result<model::Record<model::Mount>> ControlPlane::get_mount(const Op& op, const model::VolumeId& id) {
  const auto held = TRY(look_up(op, parts_.catalog.mounts, id.name()));
  if (!held) return not_mounted(id);
  return shown(held);
}

Result<service::Page<model::Mount>> ControlPlane::list_mounts(const Op&, const service::ListQuery& query) {
  const std::string prefix = query.tenant.empty() ? "" : query.tenant + "/";
  auto page = parts_.catalog.mounts.list(prefix, query.after, query.limit);
  // After paging: `next` says where to go on, also from a page of which nothing is left.
  if (!query.node.empty())
    std::erase_if(page.items, [&](const auto& mount) { return mount->value.node.str() != query.node; });
  for (auto& mount : page.items) mount = shown(mount);
  return page;
}

}  // namespace volplugin::control
