// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/volume_group.h"

#include "base/faults.h"
#include "lvmvd/volume_options.h"
#include "os/uuid.h"

#include <algorithm>

namespace volplugin::lvmvd {
namespace {

template <class T>
model::Record<T> record_of(T value) {
  return std::make_shared<const model::Versioned<T>>(model::Versioned<T>{std::move(value), 0});
}

}  // namespace

VolumeGroup::VolumeGroup(VolumeGroupParts parts, std::string group, Bytes default_size,
                         std::unique_ptr<Unfinished> unfinished)
    : parts_(std::move(parts)),
      group_(std::move(group)),
      default_size_(default_size),
      unfinished_(std::move(unfinished)) {}

void VolumeGroup::recover_step(const Op& op) {
  for (const auto& volume : unfinished_->all()) {
    const auto turn = queue_.try_enter(volume.id.name());
    // Somebody works on it, or has finished it since.
    const auto left = unfinished_->find(volume.id);
    if (!turn || !left || left->uid != volume.uid) continue;
    if (const auto removed = remove_unfinished(op, volume); !removed)
      parts_.warn(
          fmt::format("removing the half-made volume {}: {}", volume.id.name(), removed.error().message));
  }
}

Result<> VolumeGroup::remove_unfinished(const Op& op, const model::Volume& volume) {
  auto removed = parts_.executor.remove(op, volume);
  // The name was somebody else's when the attempt began, and is so still.
  if (!removed && removed.error().code != Code::permission_denied) return removed;
  return unfinished_->erase(volume.id);
}

Result<model::Volume> VolumeGroup::plan(const service::CreateVolume& request) const {
  const auto options = TRY(parse_volume_options(request.id.name(), request.options, default_size_));
  model::Volume volume{.id = request.id, .uid = os::new_uuid()};
  volume.layout = model::Layout::root;
  volume.options.backend = kBackend;
  volume.options.pool = group_;
  volume.options.size = options.size;
  volume.options.filesystem = options.filesystem;
  volume.filesystem_command = TRY(filesystem_command(options.filesystem));
  volume.created_at = volume.changed_at = parts_.clock.wall();
  return volume;
}

// Unfinished -> logical volume -> file system -> not unfinished any more.
Result<service::CreateOutcome> VolumeGroup::create_volume(const Op& op,
                                                          const service::CreateVolume& request) {
  model::Volume volume = TRY(plan(request));
  const auto turn = TRY(queue_.enter(op, request.id.name()));
  if (const auto left = unfinished_->find(request.id)) TRY(remove_unfinished(op, *left));
  TRY(unfinished_->add(volume));
  TRY(faults::hit(Fault::create_recorded));
  const auto made = parts_.executor.make(op, volume);
  if (!made) {
    // If something may be left, it stays in the list and is removed later.
    if (made.error().effect == Effect::none) TRY(unfinished_->erase(request.id));
    return made.error();
  }
  TRY(unfinished_->erase(request.id));
  TRY(faults::hit(Fault::create_acknowledged));
  volume.size = made->size;
  volume.filesystem_type = made->filesystem_type;
  volume.phase = model::Phase::ready;
  return service::CreateOutcome{record_of(std::move(volume)), true};
}

model::Volume VolumeGroup::volume_of(const model::VolumeId& id, const backend::ImageInfo& image) const {
  model::Volume volume{.id = id, .uid = image.uid};
  volume.layout = model::Layout::root;
  volume.options.backend = kBackend;
  volume.options.pool = group_;
  volume.options.size = volume.size = image.size;
  volume.phase = model::Phase::ready;
  return volume;
}

// Somebody may try to make a volume again that there is: only the uid tells which one is half made.
bool VolumeGroup::is_unfinished(const model::VolumeId& id, const std::string& uid) const {
  const auto making = unfinished_->find(id);
  return making && making->uid == uid;
}

Result<model::Volume> VolumeGroup::look_up(const Op& op, const model::VolumeId& id) {
  const auto image = TRY(parts_.backend.inspect(op, {group_, id.image(), std::string(kOwner)}));
  if (image && !image->uid.empty() && !is_unfinished(id, image->uid)) return volume_of(id, *image);
  return make_error(Code::not_found,
                    fmt::format("volume group {} has no volume {} of lvmvd", group_, id.name()));
}

Result<model::Record<model::Volume>> VolumeGroup::get_volume(const Op& op, const model::VolumeId& id) {
  return record_of(TRY(look_up(op, id)));
}

Result<service::Page<model::Volume>> VolumeGroup::list_volumes(const Op& op, const service::ListQuery&) {
  service::Page<model::Volume> page;
  for (const auto& image : TRY(parts_.backend.list(op, group_))) {
    const auto id = model::parse_flat_volume_id(image.image);
    if (id && !is_unfinished(*id, image.uid)) page.items.push_back(record_of(volume_of(*id, image)));
  }
  std::ranges::sort(page.items, {}, [](const auto& record) { return record->value.id; });
  return page;
}

Result<> VolumeGroup::remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode) {
  const auto turn = TRY(queue_.enter(op, id.name()));
  const model::Volume volume = TRY(look_up(op, id));
  {
    const std::lock_guard lock(mutex_);
    if (acquired_.contains(id.name()))
      return make_error(Code::busy, fmt::format("volume {} is mounted", id.name()));
  }
  return parts_.executor.remove(op, volume);
}

Result<model::Record<model::Mount>> VolumeGroup::acquire_mount(const Op& op,
                                                               const service::AcquireMount& request) {
  const auto turn = TRY(queue_.enter(op, request.volume.name()));
  const model::Volume volume = TRY(look_up(op, request.volume));
  const std::lock_guard lock(mutex_);
  acquired_.insert(request.volume.name());
  return record_of(model::Mount{.volume = request.volume,
                                .volume_uid = volume.uid,
                                .node = request.node,
                                .session = request.session,
                                .claim = request.claim,
                                .mount_point = request.mount_point,
                                .uses = {request.use}});
}

Result<model::Record<model::Mount>> VolumeGroup::update_mount(const Op&,
                                                              const service::UpdateMount& request) {
  return record_of(model::Mount{.volume = request.volume, .node = request.node, .phase = request.phase});
}

Result<> VolumeGroup::release_mount(const Op&, const service::ReleaseMount& request) {
  const std::lock_guard lock(mutex_);
  acquired_.erase(request.volume.name());
  return {};
}

// Nothing but this process has mounts, and its journal knows them.
Result<model::Record<model::Mount>> VolumeGroup::get_mount(const Op&, const model::VolumeId& id) {
  return make_error(Code::not_found, fmt::format("volume {} has no mount record", id.name()));
}

Result<service::Page<model::Mount>> VolumeGroup::list_mounts(const Op&, const service::ListQuery&) {
  return service::Page<model::Mount>();
}

Result<model::Record<model::Session>> VolumeGroup::open_session(const Op&,
                                                                const service::OpenSession& request) {
  return record_of(model::Session{request.node.name, "1", request.host, request.node.boot_id, request.ttl,
                                  request.node.started_at});
}

Result<> VolumeGroup::renew_session(const Op&, const model::NodeName&, const std::string&) {
  return {};
}

}  // namespace volplugin::lvmvd
