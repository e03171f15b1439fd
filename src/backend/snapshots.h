// SPDX-License-Identifier: Apache-2.0
// Snapshots: the part of a storage driver that takes images at one moment, for drivers that can (ask
// Backend::snapshots()). Its rules are those of Backend: idempotent, owned by uid, nothing half published.
// No driver has it yet; its contract suite comes with the first.
#pragma once

#include "backend/backend.h"

namespace volplugin::backend {

struct SnapshotKey {
  ImageKey image;    // that it was taken of; its uid proves whose it is
  std::string name;  // unique among the snapshots of the image
};

struct SnapshotInfo {
  std::string name;
  WallTime taken_at{};
  Bytes size;  // of the image at that moment
  Bytes used;  // what keeping it occupies; 0 when the driver cannot tell
};

class Snapshots {
 public:
  virtual ~Snapshots() = default;

  // Consistent as after a power cut, whether the image is in use or not. Errors: not_found (the image),
  // permission_denied (other uid), resource_exhausted.
  virtual Result<Ensured> ensure(const Op& op, const SnapshotKey& key) = 0;
  // Errors: busy (attached, or a clone stands on it), permission_denied.
  virtual Result<Removed> remove(const Op& op, const SnapshotKey& key) = 0;
  // Of one image, oldest first. No such image: empty.
  virtual Result<std::vector<SnapshotInfo>> list(const Op& op, const ImageKey& image) = 0;

  // Makes a new image, writable and of the snapshot's size, in the pool of the snapshot. Errors: those of
  // Backend::ensure; unsupported unless traits().clone.
  virtual Result<EnsureOutcome> clone(const Op& op, const SnapshotKey& from, const ImageKey& to) = 0;
};

}  // namespace volplugin::backend
