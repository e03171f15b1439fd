// SPDX-License-Identifier: Apache-2.0
// UserspaceMapper: images as block devices on kernels without krbd. A process of qemu-storage-daemon for each
// image shows it as a file (FUSE), on which a loop device stands:
//   image --librbd--> qemu-storage-daemon --FUSE--> <directory>/device --> /dev/loopN
// The process outlives volplugin, as a mounted volume has to.
#pragma once

#include "backend/rbd/ceph_links.h"
#include "backend/rbd/image_mapper.h"
#include "os/loop_device.h"

#include <sys/types.h>

namespace volplugin::backend {

class UserspaceMapper final : public ImageMapper {
 public:
  // `links` outlives this object.
  explicit UserspaceMapper(const CephLinks& links) : links_(links) {}

  Result<std::unique_ptr<Attachment>> find(const LocalImage& image) override;
  Result<std::unique_ptr<Attachment>> map(const Op& op, const LocalImage& image) override;
  Result<Unmapped> unmap(const Op& op, const LocalImage& image) override;
  Result<bool> anything_left(const LocalImage& image) override;
  // Not known: librbd in that process does not say.
  Result<std::optional<std::string>> client_of(const LocalImage& image) override;

 private:
  static Result<> wait_for_loop(const Op& op, const LocalImage& image);
  Result<> start_server(const Op& op, const LocalImage& image);

  const CephLinks& links_;
  os::LoopControl loops_;
};

}  // namespace volplugin::backend
