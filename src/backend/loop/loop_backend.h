// SPDX-License-Identifier: Apache-2.0
// LoopBackend: images are sparse files in a directory of this host, or of a file system that every host of a
// cluster has mounted (LoopConfig::scope), shown by loop devices.
//
//   <pools_dir>/<pool>/<tenant.volume>    xattr trusted.volplugin.uid = uid of the volume
//
// ensure() makes a file without a name, completes it and links it, so a name always stands for a whole
// image. An attached image carries a flock on the open file description that the loop driver keeps: the
// lock lives exactly as long as the device, whatever happens to this process, and keeps the image from
// being attached twice or removed. Unlocked but shown by a loop device means that somebody without our
// rules attached it: then we refuse. In a cluster the file system carries the lock to the other hosts.
//
// Needs root, a kernel with LOOP_CONFIGURE (5.8) and a file system with O_TMPFILE and trusted extended
// attributes (ext4, xfs, btrfs, tmpfs).
#pragma once

#include "backend/backend.h"
#include "backend/loop/loop_config.h"
#include "backend/loop/pool_places.h"
#include "os/loop_device.h"

#include <memory>
#include <string>
#include <vector>

namespace volplugin::backend {

class LoopBackend final : public Backend {
 public:
  // Makes pools_dir, unless it is shared. Errors: invalid_argument for a pool name in the configuration.
  static Result<std::unique_ptr<LoopBackend>> open(LoopConfig config);

  const Traits& traits() const override { return traits_; }
  Result<> validate_pool(const std::string& pool) const override;
  Result<EnsureOutcome> ensure(const Op& op, const ImageKey& key, Bytes size) override;
  Result<Removed> remove(const Op& op, const ImageKey& key) override;
  Result<std::optional<ImageInfo>> inspect(const Op& op, const ImageKey& key) override;
  Result<std::vector<ImageInfo>> list(const Op& op, const std::string& pool) override;
  Result<PoolInfo> inspect_pool(const Op& op, const std::string& pool) override;
  Result<std::unique_ptr<Attachment>> attach(const Op& op, const ImageKey& key) override;
  Result<std::unique_ptr<Attachment>> attached_here(const Op& op, const ImageKey& key) override;
  // Also busy when some process keeps the device open for seconds after our hold is gone; the device
  // vanishes by itself with that process's descriptor then.
  Result<> detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) override;

 private:
  explicit LoopBackend(LoopConfig config);

  const char* locked_by_others() const;
  Result<std::string> path_of(const ImageKey& key) const;
  Result<std::optional<EnsureOutcome>> accept_existing(const ImageKey& key, const std::string& path,
                                                       Bytes size) const;

  const Traits traits_;
  PoolPlaces places_;
  os::LoopControl loops_;
};

}  // namespace volplugin::backend
