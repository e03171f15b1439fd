// SPDX-License-Identifier: Apache-2.0
// MemoryStore: the Store contract without durability, for tests and the simulator. Threads: every
// function from any thread; it runs one thread for its watches (WatchHub).
#pragma once

#include "kv/watch_hub.h"

#include <deque>
#include <map>
#include <mutex>

namespace volplugin::kv {

class MemoryStore final : public Store, private History {
 public:
  explicit MemoryStore(HistoryPolicy policy = {});
  ~MemoryStore() override;

  Result<std::optional<Entry>> get(const Op& op, const std::string& key) override;
  Result<Page> list(const Op& op, const std::string& prefix, const std::string& after, size_t limit) override;
  Result<Revision> commit(const Op& op, const Txn& txn) override;
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from,
                                       std::function<void(const WatchBatch&)> on_batch) override;
  Result<Revision> revision(const Op& op) override;

 private:
  struct Stored {
    std::string value;
    Revision revision;
  };

  Result<WatchBatch> read(Revision after) override;  // of History
  Result<> check_guards(const Txn& txn) const;
  bool apply(const Change& change, Revision revision);
  void compact();

  const HistoryPolicy policy_;
  std::mutex mutex_;  // of all below; taken before the hub's own
  std::map<std::string, Stored> entries_;
  std::deque<Event> events_;  // after compacted_
  Revision revision_;
  Revision compacted_;
  WatchHub hub_;  // last: its thread uses the rest
};

}  // namespace volplugin::kv
