// SPDX-License-Identifier: Apache-2.0
// LvmBackend: images are logical volumes. A pool is a volume group ("vg", thick) or a thin pool in one
// ("vg/thinpool"). Only volumes that carry our tag are ever listed, shown or removed (lvm_names.h).
//
// LVM activates volumes by itself, at creation and at boot, so a device without a user is no attachment:
// attached means that this process holds the device or that somebody has it mounted. detach() leaves an
// unused device as it is.
//
// A crash in ensure() leaves the whole volume or none of it, but perhaps with old data at its start: it is
// as new only once ensure() returned. The executor never formats what is not blank; it begins anew.
// Lifecycle: open() starts no program. Thread-safe.
#pragma once

#include "backend/backend.h"
#include "backend/lvm/lvm_tool.h"
#include "os/device_mapper.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace volplugin::backend {

struct LvmHolds;

struct LvmConfig {
  std::string owner = "volplugin";  // the word in the tags
  // A thin pool takes no new volume when less than this is left of its data or its metadata space.
  unsigned thin_reserve_percent = 10;
};

class LvmBackend final : public Backend {
 public:
  explicit LvmBackend(LvmConfig config, LvmTool::Runner runner = os::run, os::DeviceTrees trees = {});

  const Traits& traits() const override { return traits_; }
  Result<> validate_pool(const std::string& pool) const override;
  Result<EnsureOutcome> ensure(const Op& op, const ImageKey& key, Bytes size) override;
  Result<Removed> remove(const Op& op, const ImageKey& key) override;
  Result<std::optional<ImageInfo>> inspect(const Op& op, const ImageKey& key) override;
  Result<std::vector<ImageInfo>> list(const Op& op, const std::string& pool) override;
  Result<PoolInfo> inspect_pool(const Op& op, const std::string& pool) override;
  Result<std::unique_ptr<Attachment>> attach(const Op& op, const ImageKey& key) override;
  Result<std::unique_ptr<Attachment>> attached_here(const Op& op, const ImageKey& key) override;
  Result<> detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) override;

 private:
  // What a key names: parsed, not looked up.
  struct Target {
    LvmPool pool;
    LvmName name;
    std::string tag;
    std::string shown;  // "vg/volume", for messages
  };
  // A volume that exists.
  struct Found {
    std::string uid;  // empty: not ours
    std::optional<os::MappedDevice> device;
    std::optional<LvmVolume> volume;  // absent: the device says enough, no program was started
  };

  Result<Target> target_of(const ImageKey& key) const;
  Result<std::optional<Found>> find(const Op& op, const Target& target);
  Result<> check_thin_room(const Op& op, const LvmPool& pool, Bytes size);
  Result<EnsureOutcome> finish_new(const Op& op, const ImageKey& key, const Target& target);
  Result<EnsureOutcome> explain_refusal(const Op& op, const ImageKey& key, const Target& target, Bytes size,
                                        const os::Outcome& said);
  Result<Removed> explain_remaining(const Op& op, const Target& target, const os::Outcome& said);
  Result<bool> attached(const os::MappedDevice& device) const;
  Result<std::unique_ptr<Attachment>> hold(const os::MappedDevice& device);
  PoolInfo pool_info(const std::string& pool, const LvmVolume& thin_pool) const;
  void remember(const std::string& volume_uuid, const std::string& uid);
  ImageInfo info_of(const LvmVolume& volume) const;

  Traits traits_;
  LvmConfig config_;
  LvmTags tags_;
  LvmTool tool_;
  os::DeviceTrees trees_;
  std::shared_ptr<LvmHolds> holds_;

  // Whose a volume is, by its uuid, which LVM never gives twice: saves a report per call.
  std::mutex mutex_;
  std::map<std::string, std::string> uid_of_volume_;
};

}  // namespace volplugin::backend
