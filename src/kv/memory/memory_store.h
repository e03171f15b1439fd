// SPDX-License-Identifier: Apache-2.0
// MemoryStore: the Store contract without durability, for tests and the simulator. Threads: every
// function from any thread; it runs one thread for its watches (WatchHub), one for its leases (Leases).
#pragma once

#include "kv/leases.h"
#include "kv/watch_hub.h"

#include <deque>
#include <map>
#include <mutex>
#include <set>

namespace volplugin::kv {

class MemoryStore final : public Store, private History {
 public:
  // Leases end by `clock`, which must outlive the store.
  explicit MemoryStore(HistoryPolicy policy = {}, const Clock& clock = system_clock());
  ~MemoryStore() override;

  Result<std::optional<Entry>> get(const Op& op, const std::string& key) override;
  Result<Page> list(const Op& op, const std::string& prefix, const std::string& after, size_t limit) override;
  Result<Revision> commit(const Op& op, const Txn& txn) override;
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from,
                                       std::function<void(const WatchBatch&)> on_batch) override;
  Result<Revision> revision(const Op& op) override;
  Result<LeaseId> grant(const Op& op, Millis ttl) override;
  Result<Millis> keep_alive(const Op& op, LeaseId lease) override;
  Result<> revoke(const Op& op, LeaseId lease) override;

 private:
  struct Stored {
    std::string value;
    Revision revision;
    LeaseId lease;
  };

  Result<WatchBatch> read(Revision after) override;  // of History
  Result<> check_guards(const Txn& txn) const;
  Result<> check_leases(const Txn& txn) const;
  Revision apply(const std::vector<const Change*>& changes);
  bool apply(const Change& change, Revision revision);
  Result<> end_lease(LeaseId lease);
  void compact();

  const HistoryPolicy policy_;
  std::mutex mutex_;  // of all below; taken before the hub's own
  std::map<std::string, Stored> entries_;
  std::deque<Event> events_;  // after compacted_
  Revision revision_;
  Revision compacted_;
  std::uint64_t last_lease_ = 0;
  std::set<LeaseId> granted_;  // and not ended
  WatchHub hub_;               // its thread uses what stands above
  Leases leases_;              // and this one's all
};

}  // namespace volplugin::kv
