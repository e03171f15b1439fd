// SPDX-License-Identifier: Apache-2.0
// SimStore: the Store contract in one thread, on a clock that the simulator moves. Nothing happens by itself:
// leases end when end_leases() is called, and each watch gets what it has not seen yet when deliver() is.
// StoreAccess is the store as one volmaster reaches it: with others' steps in between, failures, outages.
#pragma once

#include "kv/store.h"
#include "process.h"

#include <deque>
#include <list>
#include <map>

namespace volplugin::sim {

class SimStore {
 public:
  explicit SimStore(const Clock& clock) : clock_(clock) {}

  std::function<void(const kv::Event&)> on_change;  // told each change as it happens
  bool away = false;                                // nobody reaches it

  std::optional<kv::Entry> get(const std::string& key) const;
  kv::Page list(const std::string& prefix, const std::string& after, size_t limit) const;
  Result<kv::Revision> commit(const kv::Txn& txn);
  std::unique_ptr<kv::Watch> watch(const std::string& prefix, kv::Revision from,
                                   std::function<void(const kv::WatchBatch&)> on_batch);
  kv::Revision revision() const { return revision_; }
  kv::LeaseId grant(Millis ttl);
  Result<Millis> keep_alive(kv::LeaseId lease);
  void revoke(kv::LeaseId lease);

  // Ends those whose time has been over for `late` at least.
  void end_leases(Millis late);
  size_t watches() const { return watchers_.size(); }
  // The next `revisions` of what the watch has not seen; false: it has seen everything.
  bool deliver(size_t watch, size_t revisions);
  // The history of the watch is gone: it gets a snapshot with the next delivery.
  void compact(size_t watch);

 private:
  struct Stored {
    std::string value;
    kv::Revision revision;
    kv::LeaseId lease;
  };
  struct Lease {
    Millis ttl;
    SteadyTime ends;
  };
  struct Watcher {
    std::string prefix;
    kv::Revision seen;
    std::function<void(const kv::WatchBatch&)> on_batch;
    bool compacted = false;
  };
  class SimWatch;

  kv::Revision apply(const std::vector<const kv::Change*>& changes);
  bool apply(const kv::Change& change, kv::Revision revision);
  void drop_seen();

  const Clock& clock_;
  std::map<std::string, Stored> entries_;
  std::deque<kv::Event> events_;
  kv::Revision revision_{1};
  std::map<kv::LeaseId, Lease> leases_;
  std::uint64_t last_lease_ = 0;
  std::list<Watcher> watchers_;
};

class StoreAccess final : public kv::Store {
 public:
  StoreAccess(SimStore& store, Gate& gate, Process& process)
      : store_(store), gate_(gate), process_(process) {}

  Result<std::optional<kv::Entry>> get(const Op& op, const std::string& key) override;
  Result<kv::Page> list(const Op& op, const std::string& prefix, const std::string& after,
                        size_t limit) override;
  Result<kv::Revision> commit(const Op& op, const kv::Txn& txn) override;
  Result<std::unique_ptr<kv::Watch>> watch(const std::string& prefix, kv::Revision from,
                                           std::function<void(const kv::WatchBatch&)> on_batch) override;
  Result<kv::Revision> revision(const Op& op) override;
  Result<kv::LeaseId> grant(const Op& op, Millis ttl) override;
  Result<Millis> keep_alive(const Op& op, kv::LeaseId lease) override;
  Result<> revoke(const Op& op, kv::LeaseId lease) override;

 private:
  template <class Act>
  auto call(const Op& op, Act act) -> decltype(act());

  SimStore& store_;
  Gate& gate_;
  Process& process_;
};

}  // namespace volplugin::sim
