// SPDX-License-Identifier: Apache-2.0
// History: the recorded changes of a store, from which its watches are fed. So a slow watcher costs
// no memory: what it has not seen yet is read when it is ready for it.
#pragma once

#include "kv/store.h"

#include <cstdint>

namespace volplugin::kv {

// How much history a store keeps for watchers that come later. Implementations compact in steps, so
// between `keep` and `keep + step` revisions are there.
struct HistoryPolicy {
  std::uint64_t keep = 10'000;
  std::uint64_t step = 500;
};

class History {
 public:
  // One read; closed at the end of the revision that reaches either.
  static constexpr size_t kMaxEvents = 256;
  static constexpr size_t kMaxBytes = 1024 * 1024;

  virtual ~History() = default;

  // The next events after `after`, of whole revisions, and the revision up to which they are complete.
  // Called by one thread at a time. Errors: unavailable, corrupt.
  virtual Result<WatchBatch> read(Revision after) = 0;
};

}  // namespace volplugin::kv
