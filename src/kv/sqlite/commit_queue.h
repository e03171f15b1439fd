// SPDX-License-Identifier: Apache-2.0
// CommitQueue: group commit without a thread of its own. The first caller leads: it executes what
// waits as one SQLite transaction, and one flush to disk answers all of it. Who comes meanwhile waits
// for the next batch. A single caller never waits and never changes threads.
//
//   queued --(a leader takes it)--> taken --(executed)--> done
//      \--(its deadline passes, or it is cancelled)--> gone, Effect::none
#pragma once

#include "kv/sqlite/writer.h"

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

namespace volplugin::kv {

class CommitQueue {
 public:
  // `committed` is called after each batch, by its leader, before the callers return.
  CommitQueue(std::unique_ptr<Writer> writer, std::function<void(Revision)> committed);
  ~CommitQueue();
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  // Blocks until durable. As Store::commit; the limits are checked already.
  Result<Revision> commit(const Op& op, const Txn& txn);
  Result<LeaseId> grant(const Op& op, Millis ttl);
  Result<> end(const Op& op, LeaseId lease);

 private:
  struct Waiting;  // lives on its caller's stack until it is done or gone

  Result<Writer::Job> execute(const Op& op, Writer::Job job, size_t bytes);
  void lead(std::unique_lock<std::mutex>& lock) noexcept;
  std::vector<Waiting*> take_batch();
  void finish(Waiting& waiting);
  void wake_next();

  const std::unique_ptr<Writer> writer_;  // used by the leader only, without the lock
  const std::function<void(Revision)> committed_;
  std::mutex mutex_;  // of all below and of every Waiting's state
  std::deque<Waiting*> queue_;
  bool leading_ = false;
};

}  // namespace volplugin::kv
