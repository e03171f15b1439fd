// SPDX-License-Identifier: Apache-2.0
#include "kv/subscription.h"

namespace volplugin::kv {

void Subscription::deliver(const WatchBatch& batch) {
  Callback finished;  // destroyed after the lock is released
  std::unique_lock lock(mutex_);
  if (closed_) return;
  running_ = true;
  runs_on_ = std::this_thread::get_id();
  lock.unlock();
  on_batch_(batch);
  lock.lock();
  running_ = false;
  if (closed_inside_) finished.swap(on_batch_);
  idle_.notify_all();
}

void Subscription::close() {
  Callback finished;  // destroyed after the lock is released
  std::unique_lock lock(mutex_);
  closed_ = true;
  if (running_ && runs_on_ == std::this_thread::get_id()) {
    closed_inside_ = true;
    return;
  }
  idle_.wait(lock, [this] { return !running_; });
  if (!closed_inside_) finished.swap(on_batch_);
}

}  // namespace volplugin::kv
