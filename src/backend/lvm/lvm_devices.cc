// SPDX-License-Identifier: Apache-2.0
// Finding, holding and giving up the devices of logical volumes.
#include "backend/lvm/lvm_parts.h"
#include "os/block_device.h"
#include "os/file.h"

namespace volplugin::backend {
namespace {

constexpr std::string_view kUuidPrefix = "LVM-";
constexpr size_t kUuidLength = 64;

class LvmAttachment final : public Attachment {
 public:
  LvmAttachment(os::FileDescriptor file, std::string device, std::string volume,
                std::shared_ptr<LvmHolds> holds)
      : file_(std::move(file)),
        device_(std::move(device)),
        volume_(std::move(volume)),
        holds_(std::move(holds)) {
    const std::lock_guard lock(holds_->mutex);
    holds_->volumes.insert(volume_);
  }
  LvmAttachment(const LvmAttachment&) = delete;
  LvmAttachment& operator=(const LvmAttachment&) = delete;
  ~LvmAttachment() override {
    file_.reset();
    const std::lock_guard lock(holds_->mutex);
    holds_->volumes.erase(holds_->volumes.find(volume_));
  }
  const std::string& device() const override { return device_; }

 private:
  os::FileDescriptor file_;  // an open device is not taken away
  std::string device_;
  std::string volume_;
  std::shared_ptr<LvmHolds> holds_;
};

}  // namespace

std::string volume_uuid_of(const os::MappedDevice& device) {
  if (!device.uuid.starts_with(kUuidPrefix)) return "";
  return device.uuid.substr(kUuidPrefix.size(), kUuidLength);
}

Error foreign_volume(const std::string& shown, const std::string& uid, const std::string& wanted) {
  return make_error(
      Code::permission_denied,
      uid.empty() ? fmt::format("logical volume '{}' was not made by volplugin", shown)
                  : fmt::format("logical volume '{}' belongs to volume {}, not to {}", shown, uid, wanted));
}

Result<std::optional<LvmBackend::Found>> LvmBackend::find(const Op& op, const Target& target) {
  auto device = TRY(os::find_mapped_device(target.name.mapped, trees_));
  if (device) {
    const std::lock_guard lock(mutex_);
    const auto known = uid_of_volume_.find(volume_uuid_of(*device));
    if (known != uid_of_volume_.end())
      return std::optional(Found{known->second, std::move(device), std::nullopt});
  }
  auto volume = TRY(tool_.volume(op, target.pool.group, target.name.volume));
  if (!volume) return std::optional<Found>();
  // The device of an earlier volume of that name would not be this one's.
  if (device && volume_uuid_of(*device) != volume->uuid) device.reset();
  std::string uid = tags_.uid_of(volume->tags);
  if (volume->thin_pool != target.pool.thin_pool) uid.clear();  // of another pool in this group
  if (!uid.empty()) remember(volume->uuid, uid);
  return std::optional(Found{std::move(uid), std::move(device), std::move(volume)});
}

Result<bool> LvmBackend::attached(const os::MappedDevice& device) const {
  {
    const std::lock_guard lock(holds_->mutex);
    if (holds_->volumes.contains(volume_uuid_of(device))) return true;
  }
  auto used = os::in_use(device.path);
  if (!used && used.error().code == Code::not_found) return false;  // deactivated meanwhile
  return used;
}

Result<std::unique_ptr<Attachment>> LvmBackend::hold(const os::MappedDevice& device) {
  os::FileDescriptor file = TRY(os::open_file(device.path, O_RDONLY));
  return std::make_unique<LvmAttachment>(std::move(file), device.path, volume_uuid_of(device), holds_);
}

Result<std::unique_ptr<Attachment>> LvmBackend::attach(const Op& op, const ImageKey& key) {
  const Target target = TRY(target_of(key));
  TRY_CTX(op.check("attaching"), "logical volume '{}'", target.shown);
  auto found = TRY(find(op, target));
  if (!found)
    return make_error(Code::not_found, fmt::format("logical volume '{}' does not exist", target.shown));
  if (found->uid != key.uid) return foreign_volume(target.shown, found->uid, key.uid);
  if (found->device) return hold(*found->device);
  const auto said = TRY_CTX(tool_.activate(op, target.pool.group, target.name.volume),
                            "activating logical volume '{}'", target.shown);
  if (!said.succeeded()) {
    const bool partial = found->volume && !found->volume->health.empty();
    return make_error(Code::unavailable,
                      fmt::format("lvchange -ay '{}'{}: {}", target.shown,
                                  partial ? fmt::format(" (the volume is {})", found->volume->health) : "",
                                  said.describe()));
  }
  const auto device = TRY(os::await_mapped_device(op, target.name.mapped, kNodePatience, trees_));
  // Somebody may have replaced the volume between the report and its activation.
  if (found->volume && volume_uuid_of(device) != found->volume->uuid)
    return make_error(Code::conflict,
                      fmt::format("logical volume '{}' was replaced meanwhile", target.shown));
  return hold(device);
}

Result<std::unique_ptr<Attachment>> LvmBackend::attached_here(const Op& op, const ImageKey& key) {
  const Target target = TRY(target_of(key));
  TRY_CTX(op.check("looking for a device"), "logical volume '{}'", target.shown);
  const auto device = TRY(os::find_mapped_device(target.name.mapped, trees_));
  if (!device || !TRY(attached(*device))) return std::unique_ptr<Attachment>();
  const auto found = TRY(find(op, target));
  if (!found || found->uid != key.uid || !found->device) return std::unique_ptr<Attachment>();
  return hold(*found->device);
}

Result<> LvmBackend::detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) {
  const Target target = TRY(target_of(key));
  TRY_CTX(op.check("detaching"), "logical volume '{}'", target.shown);
  if (!attachment) attachment = TRY(attached_here(op, key));
  if (!attachment || !TRY(os::in_use(attachment->device()))) return {};
  return make_error(Code::busy, fmt::format("'{}' is in use, perhaps mounted in another mount namespace",
                                            attachment->device()));
}

}  // namespace volplugin::backend
