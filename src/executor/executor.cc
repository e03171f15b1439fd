// SPDX-License-Identifier: Apache-2.0
#include "executor/executor.h"

#include "base/faults.h"
#include "model/filesystem_command.h"

namespace volplugin::executor {
namespace {

constexpr Millis kCleanupTimeout{20'000};

}  // namespace

backend::ImageKey key_of(const model::Volume& volume) {
  return {volume.options.pool, volume.id.image(), volume.uid};
}

std::string Executor::mount_point(const model::VolumeId& id) const {
  return mount_root_ + "/" + id.image();
}

std::string Executor::data_path(const model::Volume& volume) const {
  return mount_point(volume.id) + (volume.layout == model::Layout::data ? "/data" : "");
}

Result<backend::Backend*> Executor::backend_of(const model::Volume& volume) const {
  const auto found = backends_.find(volume.options.backend);
  if (found == backends_.end())
    return make_error(Code::unsupported,
                      fmt::format("backend '{}' is not available on this host", volume.options.backend));
  return found->second.get();
}

Result<service::Made> Executor::make(const Op& op, const model::Volume& volume) {
  backend::Backend& backend = *TRY(backend_of(volume));
  bool untouched = false;
  const auto attempt = [&]() -> Result<service::Made> {
    const auto ensured = backend.ensure(op, key_of(volume), volume.options.size);
    untouched = !ensured && ensured.error().effect == Effect::none;
    TRY(ensured);
    TRY(faults::hit(Fault::create_image_made));
    return format(op, backend, volume, ensured->size);
  };
  auto made = attempt();
  // Not blank: an interrupted earlier attempt of this very volume, which nobody was told of (its record
  // is still `creating` and the image carries its uid). Never format over it: begin with a fresh image.
  if (!made && made.error().code == Code::conflict) {
    TRY(remove_image(op, backend, volume));
    made = attempt();
  }
  if (made) return made;
  Error error = std::move(made).error();
  // ensure() refused: the image is somebody else's or the pool is full; there is nothing of ours to undo,
  // and removing checks the uid anyway.
  const auto undone = remove_image(op.for_cleanup(kCleanupTimeout), backend, volume);
  const bool foreign = !undone && undone.error().code == Code::permission_denied;
  // A storage that refused to begin may refuse to look, too: it cannot be reached, or not with this user.
  error.effect = undone || foreign || untouched ? Effect::none : Effect::unknown;
  if (error.effect == Effect::unknown) error.message += "; undoing failed too: " + undone.error().message;
  return error;
}

Result<service::Made> Executor::format(const Op& op, backend::Backend& backend, const model::Volume& volume,
                                       Bytes size) {
  auto attachment = TRY(backend.attach(op, key_of(volume)));
  const std::string device = attachment->device();
  TRY(faults::hit(Fault::create_attached));
  if (!TRY(filesystems_.is_blank(op, device)))
    return make_error(Code::conflict, fmt::format("{} is not blank, refusing to format it", device));
  const auto command = model::expand_filesystem_command(volume.filesystem_command, device);
  const std::string type = TRY(filesystems_.make(op, device, command));
  TRY(faults::hit(Fault::create_formatted));
  TRY(backend.detach(op, key_of(volume), std::move(attachment)));
  TRY(faults::hit(Fault::create_detached));
  return service::Made{size, type};
}

Result<> Executor::remove_image(const Op& op, backend::Backend& backend, const model::Volume& volume) {
  if (auto attachment = TRY(backend.attached_here(op, key_of(volume))))
    TRY(backend.detach(op, key_of(volume), std::move(attachment)));
  TRY(backend.remove(op, key_of(volume)));
  return {};
}

Result<> Executor::remove(const Op& op, const model::Volume& volume) {
  TRY(remove_image(op, *TRY(backend_of(volume)), volume));
  return faults::hit(Fault::remove_image_removed);
}

Result<bool> Executor::is_mounted(const Op& op, const model::VolumeId& id) {
  return TRY(filesystems_.mounted(op, mount_point(id))).has_value();
}

Result<> Executor::mount(const Op& op, const model::Volume& volume) {
  backend::Backend& backend = *TRY(backend_of(volume));
  const auto mounted = attach_and_mount(op, backend, volume);
  if (mounted) return {};
  Error error = mounted.error();
  if (error.code == Code::conflict) return error;  // something else is mounted there: not ours to undo
  const auto undone = unmount(op.for_cleanup(kCleanupTimeout), volume);
  error.effect = undone && *undone == Unmounted::released ? Effect::none : Effect::unknown;
  return error;
}

Result<> Executor::attach_and_mount(const Op& op, backend::Backend& backend, const model::Volume& volume) {
  const std::string where = mount_point(volume.id);
  auto attachment = TRY(backend.attach(op, key_of(volume)));
  TRY(faults::hit(Fault::mount_attached));
  if (const auto present = TRY(filesystems_.mounted(op, where))) {
    if (!filesystems_.same_device(present->device, attachment->device()))
      return make_error(Code::conflict, fmt::format("{} shows {}, not this volume; unmount it by hand", where,
                                                    present->device));
  } else {
    TRY(filesystems_.mount(op, attachment->device(), where, volume.filesystem_type));
  }
  TRY(op.check("mounting"));
  if (volume.layout == model::Layout::root) return {};
  return filesystems_.ensure_directory(op, data_path(volume));
}

Result<Unmounted> Executor::unmount(const Op& op, const model::Volume& volume) {
  backend::Backend& backend = *TRY(backend_of(volume));
  // Held across umount, so that the device cannot be reused for another image before we ask about it.
  auto attachment = TRY(backend.attached_here(op, key_of(volume)));
  const std::string where = mount_point(volume.id);
  if (const auto present = TRY(filesystems_.mounted(op, where));
      present && (!attachment || !filesystems_.same_device(present->device, attachment->device())))
    return make_error(Code::conflict, fmt::format("{} shows {}, not this volume; unmount it by hand", where,
                                                  present->device));
  TRY(filesystems_.unmount(op, where));
  TRY(faults::hit(Fault::unmount_unmounted));
  if (!attachment) return Unmounted::released;
  const auto detached = backend.detach(op, key_of(volume), std::move(attachment));
  if (!detached && detached.error().code == Code::busy) return Unmounted::busy;
  if (!detached) return detached.error();
  return Unmounted::released;
}

}  // namespace volplugin::executor
