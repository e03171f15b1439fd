// SPDX-License-Identifier: Apache-2.0
// Calls: runs calls that cannot be interrupted (librados, umount of a device that hangs) on threads of its
// own, so that callers go at their deadline and what hangs keeps no more than so many threads. A call whose
// caller went runs on; it looks at its Op between its steps and so ends by itself, and it keeps the turn of
// its key until then. Lifecycle: the destructor waits for what runs. Threads: any.
#pragma once

#include "base/keyed_queue.h"
#include "base/op.h"
#include "base/result.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

namespace volplugin {

class Calls {
 public:
  static constexpr Millis kPatience{5'000};  // while every thread is taken and none gets free

  // `name`: of the threads, at most 10 characters. They are started when needed.
  Calls(std::string name, size_t most_threads) : name_(std::move(name)), most_threads_(most_threads) {}
  ~Calls();
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // What `body` (it returns a Result) returns. `body` may outlive the caller: it owns all it uses.
  // Errors besides: deadline_exceeded or cancelled, with effect unknown once it was begun; unavailable when
  // no thread has got free for a while.
  template <class Body>
  auto run(const Op& op, std::string_view what, Body body) -> std::invoke_result_t<Body> {
    using Outcome = std::invoke_result_t<Body>;
    struct Shared {
      std::mutex mutex;
      std::condition_variable_any done;
      std::optional<Outcome> outcome;
    };
    TRY(op.check(what));
    auto shared = std::make_shared<Shared>();
    TRY(enqueue(what, [shared, body = std::move(body)]() mutable {
      Outcome outcome = body();
      {
        const std::lock_guard lock(shared->mutex);
        shared->outcome.emplace(std::move(outcome));
      }
      shared->done.notify_all();
    }));
    std::unique_lock lock(shared->mutex);
    if (shared->done.wait_until(lock, op.stop(), op.deadline(), [&] { return shared->outcome.has_value(); }))
      return std::move(*shared->outcome);
    return given_up(op, what);
  }

  // The same, one call at a time for a key, also after a caller went. Errors besides: busy (KeyedQueue).
  template <class Body>
  auto run_in_turn(const Op& op, const std::string& key, std::string_view what, Body body)
      -> std::invoke_result_t<Body> {
    using Outcome = std::invoke_result_t<Body>;
    TRY(op.check(what));
    auto turn = TRY(queue_.enter(op, key));
    return run(op, what,
               [turn = std::move(turn), body = std::move(body)]() mutable -> Outcome { return body(); });
  }

 private:
  using Call = std::move_only_function<void()>;
  Result<> enqueue(std::string_view what, Call call);
  void work(const std::stop_token& stop);
  static Error given_up(const Op& op, std::string_view what);

  const std::string name_;
  const size_t most_threads_;
  KeyedQueue queue_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Call> waiting_;
  size_t idle_ = 0;
  SteadyTime last_end_{};
  std::vector<std::jthread> threads_;
};

}  // namespace volplugin
