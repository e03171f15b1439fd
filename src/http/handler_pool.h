// SPDX-License-Identifier: Apache-2.0
// HandlerPool: runs blocking tasks on at most `threads` threads, with a bounded queue before them. Threads
// are started when a task would have to wait and end with the pool. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace volplugin::http {

class HandlerPool {
 public:
  using Task = std::move_only_function<void()>;  // must not throw

  HandlerPool(unsigned threads, size_t queued);
  ~HandlerPool();

  // False (and `task` untouched) when the queue is full or the pool stopped.
  bool submit(Task&& task);
  // Drops what is queued and waits for what runs. Idempotent. Not from a task.
  void stop();

 private:
  void run(const std::stop_token& stop);

  const unsigned max_threads_;
  const size_t max_tasks_;  // running and queued
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Task> queue_;
  size_t running_ = 0;
  bool stopped_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace volplugin::http
