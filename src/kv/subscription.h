// SPDX-License-Identifier: Apache-2.0
// Subscription: the callback of one watch, between the thread that calls it and those that end it.
//   open -> (waiting <-> callback running)* -> closed
#pragma once

#include "kv/store.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace volplugin::kv {

class Subscription {
 public:
  using Callback = std::function<void(const WatchBatch&)>;

  explicit Subscription(Callback on_batch) : on_batch_(std::move(on_batch)) {}

  // Calls back, unless it is closed. One thread at a time.
  void deliver(const WatchBatch& batch);
  // Blocks until a running callback has returned, then destroys the callback. Called inside the callback
  // it does not block, and deliver() destroys the callback. Idempotent.
  void close();

 private:
  std::mutex mutex_;  // of all below, but for the callback while it runs
  std::condition_variable idle_;
  Callback on_batch_;
  std::thread::id runs_on_;
  bool running_ = false;
  bool closed_ = false;
  bool closed_inside_ = false;
};

}  // namespace volplugin::kv
