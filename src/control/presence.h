// SPDX-License-Identifier: Apache-2.0
// Presence: which volmasters of one store are there. One that works on a volume writes its name into the
// record; the others leave that volume alone while it is there, and take the work over when it is not.
//
// Being there is a record on a lease, made when there is work and prolonged while there was some lately: a
// volmaster at rest costs the store nothing. With a store that only one process can open there is nobody
// else, and no record. Threads: any.
#pragma once

#include "catalog/catalog.h"

#include <mutex>
#include <string>

namespace volplugin::control {

class Presence {
 public:
  static constexpr Millis kTtl{10'000};

  // `alone`: no other process has the store. `catalog` and `clock` outlive this object.
  Presence(catalog::Catalog& catalog, const Clock& clock, bool alone);

  const std::string& name() const { return name_; }
  // Blocks if this volmaster has not said lately that it is there. Errors: those of Catalog::commit.
  Result<> announce(const Op& op);
  // Whether another volmaster of this name may be at work. Blocks if the cache does not know it: the record
  // that it works on may have been read from the store, ahead of the watch. Errors: those of
  // Catalog::refresh.
  Result<bool> other_is_there(const Op& op, const std::string& name);
  // Prolongs what announce() said while there is work. Blocks; call about once a second.
  void prolong(const Op& op);

 private:
  Result<> begin(const Op& op);

  catalog::Catalog& catalog_;
  const Clock& clock_;
  const bool alone_;
  const std::string name_;
  std::mutex calls_;          // one call to the store at a time
  mutable std::mutex mutex_;  // of what follows
  kv::LeaseId lease_;
  SteadyTime valid_until_{};
  SteadyTime last_work_{};
};

}  // namespace volplugin::control
