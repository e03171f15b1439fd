// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/commit_queue.h"

#include "base/check.h"
#include "kv/rules.h"

#include <algorithm>
#include <condition_variable>

namespace volplugin::kv {
namespace {

constexpr size_t kMaxBatchJobs = 128;
constexpr size_t kMaxBatchBytes = 4 * 1024 * 1024;

size_t bytes_of(const Txn& txn) {
  size_t bytes = 0;
  for (const Change& change : txn.changes)
    if (const auto* put = std::get_if<Put>(&change)) bytes += put->key.size() + put->value.size();
  return bytes;
}

}  // namespace

struct CommitQueue::Waiting {
  enum class State { queued, taken, done };

  const Op& op;
  const size_t bytes;
  Writer::Job job;
  State state = State::queued;
  std::condition_variable_any wake{};
};

CommitQueue::CommitQueue(std::unique_ptr<Writer> writer, std::function<void(Revision)> committed)
    : writer_(std::move(writer)), committed_(std::move(committed)) {}

CommitQueue::~CommitQueue() {
  const std::lock_guard lock(mutex_);
  CHECK(queue_.empty() && !leading_);  // the store was destroyed under its callers
}

Result<Revision> CommitQueue::commit(const Op& op, const Txn& txn) {
  return TRY(execute(op, {&txn}, bytes_of(txn))).result;
}

Result<LeaseId> CommitQueue::grant(const Op& op, Millis ttl) {
  const auto done = TRY(execute(op, {Writer::GrantLease{ttl}}, 0));
  if (!done.result) return done.result.error();
  return done.granted;
}

Result<> CommitQueue::end(const Op& op, LeaseId lease) {
  TRY(TRY(execute(op, {Writer::EndLease{lease}}, 0)).result);
  return {};
}

Result<Writer::Job> CommitQueue::execute(const Op& op, Writer::Job job, size_t bytes) {
  using State = Waiting::State;
  Waiting self{op, bytes, std::move(job)};
  std::unique_lock lock(mutex_);
  queue_.push_back(&self);
  while (self.state != State::done) {
    if (self.state == State::taken) {
      self.wake.wait(lock);
    } else if (!leading_) {
      lead(lock);
    } else {
      const auto my_turn = [&] { return self.state != State::queued || !leading_; };
      // The deadline is on the Op's clock; it is checked again when this much real time has passed.
      if (self.wake.wait_for(lock, op.stop(), op.remaining() + Millis(1), my_turn)) continue;
      if (Result<> in_time = op.check("waiting to commit"); !in_time) {
        std::erase(queue_, &self);
        wake_next();
        return in_time.error();
      }
    }
  }
  return std::move(self.job);
}

// noexcept: out of memory in here would leave callers waiting for ever.
void CommitQueue::lead(std::unique_lock<std::mutex>& lock) noexcept {
  leading_ = true;
  const std::vector<Waiting*> batch = take_batch();
  lock.unlock();
  if (!batch.empty()) {
    std::vector<Writer::Job*> jobs;
    jobs.reserve(batch.size());
    for (Waiting* waiting : batch) jobs.push_back(&waiting->job);
    writer_->execute(jobs);
    committed_(writer_->revision());
  }
  lock.lock();
  for (Waiting* waiting : batch) finish(*waiting);
  leading_ = false;
  wake_next();
}

std::vector<CommitQueue::Waiting*> CommitQueue::take_batch() {
  std::vector<Waiting*> batch;
  size_t bytes = 0;
  while (!queue_.empty() && batch.size() < kMaxBatchJobs) {
    Waiting* const next = queue_.front();
    if (!batch.empty() && bytes + next->bytes > kMaxBatchBytes) break;
    queue_.pop_front();
    if (Result<> in_time = next->op.check("waiting to commit"); !in_time) {
      next->job.result = in_time.error();
      finish(*next);
      continue;
    }
    next->state = Waiting::State::taken;
    bytes += next->bytes;
    batch.push_back(next);
  }
  return batch;
}

// Notifies with the lock held: without it the caller could return, and the condition variable on its
// stack be gone, before the notification.
void CommitQueue::finish(Waiting& waiting) {
  waiting.state = Waiting::State::done;
  waiting.wake.notify_one();
}

// Someone must lead what is still queued. A caller that arrives first may do it instead.
void CommitQueue::wake_next() {
  if (!leading_ && !queue_.empty()) queue_.front()->wake.notify_one();
}

}  // namespace volplugin::kv
