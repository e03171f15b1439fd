// SPDX-License-Identifier: Apache-2.0
// StorageWork: making and unmaking a volume's storage where that has to happen. Implemented by the
// executor (here) and by the task queue of a remote node (there). Calls for one volume are serialised by
// the caller; calls for different volumes run in parallel.
#pragma once

#include "base/bytes.h"
#include "base/op.h"
#include "model/records.h"

#include <string>

namespace volplugin::service {

struct Made {
  Bytes size;                   // of the image, exactly
  std::string filesystem_type;  // as probed after mkfs: "ext4"
};

class StorageWork {
 public:
  virtual ~StorageWork() = default;

  // Makes the image of `volume` (by uid) and its file system. Idempotent: what an interrupted call left is
  // finished or made anew. On error nothing is left behind, unless effect is unknown.
  // Errors: already_exists (a foreign image has the name), resource_exhausted, invalid_argument (mkfs
  // refused; its output is in the message), deadline_exceeded, unavailable.
  virtual Result<Made> make(const Op& op, const model::Volume& volume) = 0;

  // Deletes the image of `volume`. Idempotent: already gone is success. Errors: busy, unavailable.
  virtual Result<> remove(const Op& op, const model::Volume& volume) = 0;
};

}  // namespace volplugin::service
