// SPDX-License-Identifier: Apache-2.0
#include "http/handler_pool.h"

#include <system_error>

#include <fmt/format.h>
#include <pthread.h>

namespace volplugin::http {

HandlerPool::HandlerPool(unsigned threads, size_t queued)
    : max_threads_(std::max(threads, 1U)), max_tasks_(max_threads_ + queued) {}

HandlerPool::~HandlerPool() {
  stop();
}

bool HandlerPool::submit(Task&& task) {
  const std::lock_guard lock(mutex_);
  const size_t tasks = running_ + queue_.size();
  if (stopped_ || tasks >= max_tasks_) return false;
  if (tasks >= threads_.size() && threads_.size() < max_threads_) {
    try {
      threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
      pthread_setname_np(threads_.back().native_handle(), fmt::format("http-{}", threads_.size()).c_str());
    } catch (const std::system_error&) {
      // The machine has no thread for us now: those we have will do it, later.
      if (threads_.empty()) return false;
    }
  }
  queue_.push_back(std::move(task));
  wake_.notify_one();
  return true;
}

void HandlerPool::stop() {
  std::vector<std::jthread> threads;  // joined last, when what was queued is gone already
  std::deque<Task> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(queue_);
    threads.swap(threads_);
  }
  for (auto& thread : threads) thread.request_stop();
}

void HandlerPool::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return !queue_.empty(); })) {
    Task task = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    task();
    task = nullptr;  // what it owns is dropped outside the lock too
    lock.lock();
    --running_;
  }
}

}  // namespace volplugin::http
