// SPDX-License-Identifier: Apache-2.0
// Adopt: look at the image -> record `adopting` -> the image is the volume's -> record `ready`. What is
// looked at comes first, so that a refusal has changed nothing; what does not come to an end is undone by
// giving the image back, and never deletes it.
#include "base/faults.h"
#include "control/control_plane.h"
#include "executor/adoptable.h"
#include "os/uuid.h"

namespace volplugin::control {
namespace {

constexpr size_t kPage = 1000;

// Those that would contradict the image.
Result<model::OptionSet> parse_adoption_options(const std::map<std::string, std::string>& options) {
  for (const auto& [key, what] :
       {std::pair{"size", "the size of its image"}, std::pair{"filesystem", "the file system of its image"},
        std::pair{"node", "no node: its image belongs to none"}})
    if (options.contains(key))
      return make_error(Code::invalid_argument,
                        fmt::format("option {}: not of a volume that is adopted, which has {}", key, what));
  return model::parse_driver_options(options);
}

}  // namespace

Result<model::Record<model::Volume>> ControlPlane::adopt_volume(const Op& op,
                                                                const service::AdoptVolume& request) {
  const auto asked = TRY(parse_adoption_options(request.options));
  const std::string name = request.id.name();
  const auto turn = TRY(queue_.enter(op, name));
  TRY(clear_way_to_adopt(op, request.id));
  auto resolved = TRY(resolve_volume(op, request.id, asked));
  auto& adoption = *TRY(adoption_of(resolved.options.backend));
  model::Volume volume{request.id, os::new_uuid(), std::move(resolved.options)};
  const auto key = executor::key_of(volume);
  const auto found = TRY_CTX(executor::find_adoptable(op, adoption, key), "adopting volume '{}'", name);
  TRY(refuse_owned(key, found.image.owner, request.confirmed));
  volume.size = volume.options.size = found.image.size;
  volume.filesystem_type = volume.options.filesystem = found.filesystem_type;
  volume.layout = request.layout.value_or(found.image.made ? model::Layout::data : model::Layout::root);
  volume.phase = model::Phase::adopting;
  volume.operation = op.request_id();
  volume.created_at = volume.changed_at = parts_.clock.wall();
  const auto recorded = TRY(record_creation(op, std::move(volume)));
  return TRY_CTX(take_image(op, recorded, found.image), "adopting volume '{}'", name);
}

// The name is free when this returns success.
Result<> ControlPlane::clear_way_to_adopt(const Op& op, const model::VolumeId& id) {
  if (!settings_.alone) TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, id.name()));
  TRY(wait_for_others(op, id));
  const auto existing = parts_.catalog.volumes.find(id.name());
  if (existing && existing->value.phase != model::Phase::adopting)
    return make_error(Code::already_exists, fmt::format("volume '{}' exists already (it is {})", id.name(),
                                                        to_string(existing->value.phase)));
  if (existing)
    TRY_CTX(undo_adoption(op, existing), "an earlier attempt to adopt '{}' is not undone", id.name());
  // Of a volume that had the name before: somebody may still write to the image.
  return refuse_if_mounted(op, id);
}

Result<backend::Adoption*> ControlPlane::adoption_of(const std::string& name) const {
  const auto backend = parts_.backends.find(name);
  if (backend == parts_.backends.end())
    return make_error(Code::unavailable, fmt::format("backend '{}' is not one of this server", name));
  if (auto* const adoption = backend->second->adoption()) return adoption;
  std::vector<std::string> able;
  for (const auto& [other, driver] : parts_.backends)
    if (driver->adoption() != nullptr) able.push_back(other);
  return make_error(Code::unsupported,
                    fmt::format("backend '{}' cannot adopt images; of the backends of this server can: {}",
                                name, able.empty() ? "none" : fmt::format("{}", fmt::join(able, ", "))));
}

Result<> ControlPlane::refuse_owned(const backend::ImageKey& key, const std::string& owner,
                                    service::Confirmed confirmed) const {
  if (owner.empty()) return {};
  service::Page<model::Volume> page;
  do {
    page = parts_.catalog.volumes.list("", page.next, kPage);
    for (const auto& record : page.items)
      if (record->value.uid == owner)
        return make_error(
            Code::permission_denied,
            fmt::format("image '{}/{}' belongs to volume '{}': remove or force-remove that first", key.pool,
                        key.image, record->value.id.name()));
  } while (!page.next.empty());
  if (confirmed == service::Confirmed::yes) return {};
  return make_error(
      Code::permission_denied,
      fmt::format("image '{}/{}' belongs to volume {}, which this store does not have: if no other "
                  "volplugin has it either, say --yes (confirmed: true)",
                  key.pool, key.image, owner));
}

Result<model::Record<model::Volume>> ControlPlane::take_image(const Op& op, const VolumeRecord& record,
                                                              const backend::FoundImage& found) {
  TRY(faults::hit(Fault::adopt_recorded));
  model::Volume volume = record->value;
  auto& adoption = *TRY(adoption_of(volume.options.backend));
  auto taken = adoption.adopt(op, executor::key_of(volume), found);
  if (taken) taken = faults::hit(Fault::adopt_image_taken);
  if (!taken) {
    Error error = taken.error();
    const auto undone = give_back(op.for_cleanup(kSettleTimeout), record, error);
    error.effect = undone ? Effect::none : Effect::unknown;
    if (!undone) error.message += "; undoing failed too: " + undone.error().message;
    return error;
  }
  volume.phase = model::Phase::ready;
  volume.worker.clear();
  auto ready = store(op.for_cleanup(kSettleTimeout), record, std::move(volume));
  // Another volmaster thought that this one was gone; it may have given the image back before it was taken.
  if (!ready && ready.error().code == Code::conflict)
    TRY_CTX(release_overtaken(op.for_cleanup(kSettleTimeout), record->value),
            "another volmaster ended the adoption, and the image is not given back yet");
  TRY(ready);
  TRY(faults::hit(Fault::adopt_acknowledged));
  return ready;
}

Result<> ControlPlane::release_overtaken(const Op& op, const model::Volume& volume) {
  TRY(parts_.catalog.refresh(op, parts_.catalog.volumes, volume.id.name()));
  const auto now = parts_.catalog.volumes.find(volume.id.name());
  if (now && now->value.uid == volume.uid && now->value.phase != model::Phase::adopting) return {};
  auto released = release_image(op, volume);
  if (released || now) return released;
  TRY(put_back(op, volume, released.error()));
  return released;
}

// After a failure: the image is as it was and there is no record, or recovery has to come back.
Result<> ControlPlane::give_back(const Op& op, const VolumeRecord& record, const Error& error) {
  auto released = error.effect == Effect::none ? Result<>() : release_image(op, record->value);
  if (released) {
    catalog::Edit edit;
    edit.require(record).erase(parts_.catalog.volumes, record->value.id.name());
    TRY(parts_.catalog.commit(op, std::move(edit)));
    return {};
  }
  model::Volume left = record->value;
  left.message = error.message;
  left.worker.clear();
  TRY(store(op, record, std::move(left)));
  return released;
}

Result<> ControlPlane::release_image(const Op& op, const model::Volume& volume) const {
  return TRY(adoption_of(volume.options.backend))->release(op, executor::key_of(volume));
}

Result<> ControlPlane::undo_adoption(const Op& op, const VolumeRecord& record) {
  const auto mine = TRY(take_charge(op, record));
  TRY(release_image(op, mine->value));
  catalog::Edit edit;
  edit.require(mine).erase(parts_.catalog.volumes, mine->value.id.name());
  TRY(parts_.catalog.commit(op, std::move(edit)));
  return {};
}

}  // namespace volplugin::control
