// SPDX-License-Identifier: Apache-2.0
#include "base/keyed_queue.h"

namespace volplugin {

Result<KeyedQueue::Turn> KeyedQueue::enter(const Op& op, const std::string& key) {
  TRY_CTX(op.check("waiting for its turn"), "{}", key);
  std::unique_lock lock(mutex_);
  Line& line = lines_[key];  // stays: a line with a ticket is never erased
  if (line.tickets.size() >= kMaxWaiting)
    return make_error(Code::busy, fmt::format("{}: {} calls wait for it already", key, line.tickets.size()));
  const std::uint64_t mine = next_ticket_++;
  line.tickets.push_back(mine);
  // Real time: a condition variable cannot wait on a fake clock, and tests that use one never queue.
  const bool turn =
      changed_.wait_for(lock, op.stop(), op.remaining(), [&] { return line.tickets.front() == mine; });
  if (turn) return Turn(this, key);
  line.tickets.remove(mine);
  if (line.tickets.empty()) lines_.erase(key);
  changed_.notify_all();
  lock.unlock();
  TRY_CTX(op.check("waiting for an earlier call on the same volume"), "{}", key);
  return make_error(Code::deadline_exceeded, fmt::format("{}: an earlier call on it takes too long", key));
}

std::optional<KeyedQueue::Turn> KeyedQueue::try_enter(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (lines_.contains(key)) return std::nullopt;
  lines_[key].tickets.push_back(next_ticket_++);
  return Turn(this, key);
}

void KeyedQueue::leave(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = lines_.find(key);
  found->second.tickets.pop_front();
  if (found->second.tickets.empty()) lines_.erase(found);
  changed_.notify_all();
}

}  // namespace volplugin
