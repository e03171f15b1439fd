// SPDX-License-Identifier: Apache-2.0
// Snapshots: the part of a storage driver that keeps what an image holds at one moment, for drivers that can
// (ask Backend::snapshots()). Its rules are those of Backend: idempotent, owned by uid, nothing half
// published. Held to tests/contract/backend_snapshots_test.cc.
#pragma once

#include "backend/backend.h"

namespace volplugin::backend {

// The storage may show both words to people, for instance as "name.uid".
struct SnapshotKey {
  ImageKey image;    // that it is of; its uid proves whose it is
  std::string name;  // of a parsed snapshot name
  std::string uid;   // of this snapshot; another one of the same name has another
};

struct SnapshotInfo {
  std::string name;
  std::string uid;
  Bytes size;  // of the image at that moment
};

class Snapshots {
 public:
  virtual ~Snapshots() = default;

  // What it holds is what a power cut at one moment of this call would have left, whether the image is in use
  // or not. Idempotent: one that is there stays as it is. Blocks. Errors: not_found (the image),
  // permission_denied (other uid), busy (the image is in use in a way that admits none; says what to do),
  // resource_exhausted.
  virtual Result<Ensured> ensure_snapshot(const Op& op, const SnapshotKey& key) = 0;
  // Idempotent; also success when the image is gone, or is another volume's. Blocks. Errors: busy (somebody
  // needs it: a clone, a protection; or as for ensure_snapshot()).
  virtual Result<Removed> remove_snapshot(const Op& op, const SnapshotKey& key) = 0;
  // Those of the image that volplugin took, oldest first. No such image: empty. Blocks. Errors:
  // permission_denied (other uid).
  virtual Result<std::vector<SnapshotInfo>> list_snapshots(const Op& op, const ImageKey& image) = 0;
};

}  // namespace volplugin::backend
