// SPDX-License-Identifier: Apache-2.0
// Create: record `creating` -> make the storage -> record `ready`. See model::Phase for the states.
#include "base/faults.h"
#include "control/control_plane.h"
#include "os/uuid.h"

namespace volplugin::control {
namespace {

Error not_on_node(const model::Volume& volume, const std::string& asked) {
  return make_error(Code::already_exists,
                    fmt::format("volume '{}' exists: its node is {}, not {}", volume.id.name(),
                                volume.node ? volume.node->str() : "any", asked));
}

constexpr int kMaxTries = 8;
constexpr Millis kLookAgain{50};  // at a volume that another volmaster works on

}  // namespace

Result<service::CreateOutcome> ControlPlane::create_volume(const Op& op,
                                                           const service::CreateVolume& request) {
  const auto asked = TRY(model::parse_driver_options(request.options));
  const std::string name = request.id.name();
  const auto turn = TRY(queue_.enter(op, name));
  for (int tries = 1;; ++tries) {
    // A volume that only the cache still knows must not be acknowledged.
    if (!settings_.alone && parts_.catalog.volumes.find(name))
      TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, name));
    TRY(wait_for_others(op, request.id));
    if (auto existing = parts_.catalog.volumes.find(name)) {
      if (const auto kept = TRY(existing_volume(op, std::move(existing), asked)))
        return service::CreateOutcome{kept, false};
    }
    const auto volume = TRY(plan_volume(op, request, asked));
    const auto recorded = record_creation(op, volume);
    if (recorded)
      return service::CreateOutcome{TRY_CTX(make_volume(op, *recorded), "creating volume '{}'", name), true};
    // Another volmaster was first, of which our cache did not know yet.
    if (recorded.error().code != Code::conflict || tries == kMaxTries) return recorded.error();
    TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, name));
  }
}

// The volume to answer with, or null when what was there is gone now and the create goes on.
Result<model::Record<model::Volume>> ControlPlane::existing_volume(const Op& op, VolumeRecord volume,
                                                                   const model::OptionSet& asked) {
  const std::string name = volume->value.id.name();
  switch (volume->value.phase) {
    case model::Phase::ready: {
      if (asked.node && (!volume->value.node || volume->value.node->str() != *asked.node))
        return not_on_node(volume->value, *asked.node);
      const auto& is = volume->value.options;
      const auto wanted = TRY(model::resolve_options(model::as_option_set(is), asked, settings_.defaults));
      const std::string difference = model::difference(is, wanted);
      if (difference.empty()) return volume;
      return make_error(Code::already_exists,
                        fmt::format("volume '{}' exists with other options: its {}", name, difference));
    }
    case model::Phase::creating:
    case model::Phase::failed:
      // Left by a crash or a failed attempt; nobody was told of it, and we have the volume's turn.
      TRY_CTX(undo_create(op, volume), "clearing away an earlier attempt to create '{}'", name);
      return VolumeRecord();
    case model::Phase::adopting:
      TRY_CTX(undo_adoption(op, volume), "giving back the image of '{}'", name);
      return VolumeRecord();
    case model::Phase::removing:
      TRY_CTX(finish_removal(op, volume), "volume '{}' is still being removed", name);
      return VolumeRecord();
  }
  return make_error(Code::internal, "unknown phase");
}

Result<ControlPlane::Resolved> ControlPlane::resolve_volume(const Op& op, const model::VolumeId& id,
                                                            const model::OptionSet& asked) {
  auto tenant = TRY(get_tenant(op, id.tenant));
  // Before the options are resolved: a backend that does not exist has no default pool either.
  const std::string wanted =
      asked.backend.value_or(tenant->value.defaults.backend.value_or(settings_.defaults.backend));
  const auto backend = parts_.backends.find(wanted);
  if (backend == parts_.backends.end()) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : parts_.backends) names.push_back(name);
    return make_error(Code::invalid_argument,
                      fmt::format("option backend: '{}' is not a backend of this server ({})",
                                  model::printable(wanted), fmt::join(names, ", ")));
  }
  auto options = TRY_CTX(model::resolve_options(tenant->value.defaults, asked, settings_.defaults),
                         "volume '{}'", id.name());
  TRY_CTX(backend->second->validate_pool(options.pool), "option pool");
  return Resolved{std::move(tenant), *backend->second, std::move(options)};
}

Result<model::Volume> ControlPlane::plan_volume(const Op& op, const service::CreateVolume& request,
                                                const model::OptionSet& asked) {
  auto [tenant, backend, options] = TRY(resolve_volume(op, request.id, asked));
  const auto command = tenant->value.filesystems.find(options.filesystem);
  if (command == tenant->value.filesystems.end()) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : tenant->value.filesystems) names.push_back(name);
    return make_error(Code::invalid_argument,
                      fmt::format("option filesystem: '{}' is not one of tenant '{}' ({})",
                                  options.filesystem, request.id.tenant.str(), fmt::join(names, ", ")));
  }
  model::Volume volume{request.id, os::new_uuid(), std::move(options)};
  volume.filesystem_command = command->second;
  volume.size = volume.options.size;
  const auto& traits = backend.traits();
  if (asked.node && traits.scope == backend::Scope::cluster)
    return make_error(Code::invalid_argument,
                      fmt::format("option node: volumes of backend '{}' belong to no host", traits.name));
  volume.node = TRY(choose_node(
      traits, asked.node ? std::optional(TRY(model::NodeTag::parse(*asked.node))) : request.node));
  volume.phase = model::Phase::creating;
  volume.operation = op.request_id();
  volume.created_at = volume.changed_at = parts_.clock.wall();
  return volume;
}

Result<std::optional<model::NodeName>> ControlPlane::choose_node(
    const backend::Traits& traits, const std::optional<model::NodeName>& asking) const {
  if (traits.scope == backend::Scope::cluster) return std::optional<model::NodeName>();
  if (asking) return asking;
  if (settings_.local_node) return settings_.local_node;
  const auto connected = parts_.tasks.connected_nodes();
  if (connected.size() == 1) return std::optional(TRY(model::NodeTag::parse(connected.front())));
  if (connected.empty())
    return make_error(Code::unavailable, fmt::format("backend '{}' keeps volumes on one host, and no host is "
                                                     "connected: start volplugin there",
                                                     traits.name));
  return make_error(Code::invalid_argument,
                    fmt::format("backend '{}' keeps volumes on one host: create it on that host with docker "
                                "volume create, or say which one (connected: {})",
                                traits.name, fmt::join(connected, ", ")));
}

Result<model::Record<model::Volume>> ControlPlane::record_creation(const Op& op, model::Volume volume) {
  const std::string name = volume.id.name();
  TRY(presence_.announce(op));
  volume.worker = presence_.name();
  catalog::Edit edit;
  edit.require_absent<model::Volume>(name).put(parts_.catalog.volumes, volume);
  return catalog::as_committed(std::move(volume), TRY(parts_.catalog.commit(op, std::move(edit))));
}

Result<model::Record<model::Volume>> ControlPlane::make_volume(const Op& op, const VolumeRecord& record) {
  TRY(faults::hit(Fault::create_recorded));
  model::Volume volume = record->value;
  const auto made = work_of(volume)->make(op, volume);
  if (!made) {
    Error error = made.error();
    const auto settled = settle_failed_make(op.for_cleanup(kSettleTimeout), record, error);
    if (!settled) error.message += "; recording that failed too: " + settled.error().message;
    return error;
  }
  volume.size = made->size;
  volume.filesystem_type = made->filesystem_type;
  volume.phase = model::Phase::ready;
  volume.worker.clear();
  auto ready = store(op.for_cleanup(kSettleTimeout), record, std::move(volume));
  if (!ready && ready.error().code == Code::conflict)
    TRY_CTX(drop_overtaken(op.for_cleanup(kSettleTimeout), record->value),
            "another volmaster cleared the volume away, and the image made meanwhile is left");
  TRY(ready);
  TRY(faults::hit(Fault::create_acknowledged));
  return ready;
}

// Another volmaster thought that this one was gone and has charge of the record, or has erased it. It may
// have looked for the image before there was one.
Result<> ControlPlane::drop_overtaken(const Op& op, const model::Volume& volume) {
  TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, volume.id.name()));
  const auto now = parts_.catalog.volumes.find(volume.id.name());
  if (now && now->value.uid == volume.uid && now->value.phase == model::Phase::ready) return {};
  auto removed = work_of(volume)->remove(op, volume);
  if (removed || now) return removed;
  model::Volume left = volume;
  left.phase = model::Phase::failed;
  TRY(put_back(op, std::move(left), removed.error()));
  return removed;
}

// A record for recovery: without one nobody would ever look for the image again.
Result<> ControlPlane::put_back(const Op& op, model::Volume left, const Error& why) {
  const std::string name = left.id.name();
  left.message = why.message;
  left.worker.clear();
  catalog::Edit edit;
  edit.require_absent<model::Volume>(name).put(parts_.catalog.volumes, std::move(left));
  // What failed may have taken all the time there was.
  TRY(parts_.catalog.commit(op.for_cleanup(kSettleTimeout), std::move(edit)));
  return {};
}

// A failed make that left nothing behind leaves no record either; otherwise recovery has to come back.
Result<> ControlPlane::settle_failed_make(const Op& op, const VolumeRecord& record, const Error& error) {
  if (error.effect == Effect::none) {
    catalog::Edit edit;
    edit.require(record).erase(parts_.catalog.volumes, record->value.id.name());
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return {};
  }
  model::Volume failed = record->value;
  failed.phase = model::Phase::failed;
  failed.message = error.message;
  failed.worker.clear();
  TRY(store(op, record, std::move(failed)));
  return {};
}

Result<> ControlPlane::undo_create(const Op& op, const VolumeRecord& record) {
  const auto mine = TRY(take_charge(op, record));
  TRY(work_of(mine->value)->remove(op, mine->value));
  catalog::Edit edit;
  edit.require(mine).erase(parts_.catalog.volumes, mine->value.id.name());
  TRY(parts_.catalog.commit(op, std::move(edit)));
  return {};
}

// While another volmaster creates or removes the volume: until it is done, or gone.
Result<> ControlPlane::wait_for_others(const Op& op, const model::VolumeId& id) {
  for (;;) {
    const auto record = parts_.catalog.volumes.find(id.name());
    if (!record || !TRY(presence_.other_is_there(op, record->value.worker))) return {};
    if (!op.sleep(kLookAgain))
      return make_error(Code::busy, fmt::format("volume '{}' is {}, by another volmaster", id.name(),
                                                to_string(record->value.phase)));
  }
}

// Before what somebody else may have begun is finished or undone: from now on it is this volmaster's, and
// who began it cannot acknowledge it any more.
Result<model::Record<model::Volume>> ControlPlane::take_charge(const Op& op, const VolumeRecord& record) {
  const bool creating = record->value.phase == model::Phase::creating;
  const bool adopting = record->value.phase == model::Phase::adopting && record->value.message.empty();
  if (!creating && !adopting && record->value.worker == presence_.name()) {
    // The last commit of this very volmaster may have been made although it failed.
    const std::string name = record->value.id.name();
    TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, name));
    const auto now = parts_.catalog.volumes.find(name);
    if (now && now->revision == record->revision) return record;
    return make_error(Code::conflict,
                      fmt::format("volume '{}' was changed meanwhile: look at it and try again", name));
  }
  TRY(presence_.announce(op));
  model::Volume mine = record->value;
  mine.worker = presence_.name();
  if (creating) {
    mine.phase = model::Phase::failed;
    mine.message = "is being cleared away";
  }
  if (adopting) mine.message = "its image is being given back";
  return store(op, record, std::move(mine));
}

Result<model::Record<model::Volume>> ControlPlane::store(const Op& op, const VolumeRecord& old,
                                                         model::Volume changed) {
  changed.changed_at = parts_.clock.wall();
  catalog::Edit edit;
  edit.require(old).put(parts_.catalog.volumes, changed);
  return catalog::as_committed(std::move(changed), TRY(parts_.catalog.commit(op, std::move(edit))));
}

}  // namespace volplugin::control
