// SPDX-License-Identifier: Apache-2.0
// Leases: when the leases of a store end, for stores that have to see to it themselves. Kept in memory;
// that a lease exists, and its keys, is the store's to keep.
// Threads: every function from any thread; one thread "kv-lease" from the first add() on.
// A lease: running --(its time is over)--> ending --(`end` succeeded, or forget())--> gone
#pragma once

#include "base/periodic.h"
#include "kv/store.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace volplugin::kv {

class Leases {
 public:
  // How often leases are looked at; they end so much late.
  static constexpr Millis kInterval{250};

  // `end` erases the keys of a lease and the lease. Called on kv-lease with no lock held, again at the next
  // look if it fails. `clock` must outlive this object.
  Leases(const Clock& clock, std::function<Result<>(LeaseId)> end);
  ~Leases();
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  // It ends `ttl` from now.
  void add(LeaseId lease, Millis ttl);
  // Its full time again, which is returned. Errors: not_found when it is ending or gone.
  Result<Millis> renew(LeaseId lease);
  void forget(LeaseId lease);
  // No `end` runs afterwards. Idempotent; not to be called from `end`.
  void stop();

 private:
  struct Term {
    Millis ttl{0};
    SteadyTime end{};
  };
  void step();
  std::vector<LeaseId> overdue();

  const Clock& clock_;
  const std::function<Result<>(LeaseId)> end_;
  std::mutex mutex_;  // of terms_
  std::map<LeaseId, Term> terms_;
  std::once_flag started_;
  std::unique_ptr<Periodic> looking_;  // last: its thread uses the rest
};

}  // namespace volplugin::kv
