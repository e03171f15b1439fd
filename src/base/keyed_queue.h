// SPDX-License-Identifier: Apache-2.0
// KeyedQueue: one caller at a time per key, first come first served; different keys in parallel. The
// queue per volume that the design asks for. Thread-safe.
//   const auto turn = TRY(queue.enter(op, id.name()));   // until the end of the scope
#pragma once

#include "base/op.h"
#include "base/result.h"

#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace volplugin {

class KeyedQueue {
 public:
  // Most callers waiting for one key; more are refused with busy.
  static constexpr size_t kMaxWaiting = 512;

  class Turn {
   public:
    Turn(Turn&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), key_(std::move(other.key_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (queue_) queue_->leave(key_);
    }

   private:
    friend class KeyedQueue;
    Turn(KeyedQueue* queue, std::string key) : queue_(queue), key_(std::move(key)) {}
    KeyedQueue* queue_;
    std::string key_;
  };

  // Blocks until it is this caller's turn. Errors: deadline_exceeded, cancelled, busy (queue full).
  Result<Turn> enter(const Op& op, const std::string& key);
  // The turn if nobody has or waits for the key, else nullopt. Does not block.
  std::optional<Turn> try_enter(const std::string& key);

 private:
  void leave(const std::string& key);

  struct Line {
    std::list<std::uint64_t> tickets;  // the first one has the turn
  };
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Line> lines_;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace volplugin
