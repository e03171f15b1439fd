// SPDX-License-Identifier: Apache-2.0
// KernelMapper: krbd, through `rbd map` and the kernel's list of mappings in sysfs. Each mapping is a client
// of its own (noshare), so that blocklisting it hurts no other image. With `exclusive` it keeps the image's
// lock for as long as it is there: no second host can write even when all else fails, and nobody can take a
// snapshot. Without, it gives the lock to any client that asks, and takes it back when it writes.
#pragma once

#include "backend/rbd/ceph_links.h"
#include "backend/rbd/image_mapper.h"

namespace volplugin::backend {

class KernelMapper final : public ImageMapper {
 public:
  // `links` outlives this object. `exclusive` is for mappings to come.
  KernelMapper(const CephLinks& links, bool exclusive) : links_(links), exclusive_(exclusive) {}

  // Whether this kernel has krbd; loads its module.
  static bool available(const Op& op);

  Result<std::unique_ptr<Attachment>> find(const LocalImage& image) override;
  Result<std::unique_ptr<Attachment>> map(const Op& op, const LocalImage& image) override;
  Result<Unmapped> unmap(const Op& op, const LocalImage& image) override;
  Result<bool> anything_left(const LocalImage& image) override;
  Result<std::optional<std::string>> client_of(const LocalImage& image) override;

 private:
  const CephLinks& links_;
  const bool exclusive_;
};

}  // namespace volplugin::backend
