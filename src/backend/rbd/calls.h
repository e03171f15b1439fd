// SPDX-License-Identifier: Apache-2.0
// Calls: runs calls that cannot be interrupted (librados, programs stuck in the kernel) on threads of its
// own, so that callers go at their deadline and a cluster that hangs keeps no more than kThreads threads. A
// call whose caller went runs on; it looks at its Op between its steps and so ends by itself. Lifecycle: the
// destructor waits for what runs. Threads: any.
#pragma once

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

namespace volplugin::backend {

class Calls {
 public:
  static constexpr size_t kThreads = 16;
  static constexpr Millis kPatience{5'000};  // while every thread is taken and none gets free

  Calls() = default;
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

 private:
  using Call = std::move_only_function<void()>;
  Result<> enqueue(std::string_view what, Call call);
  void work(const std::stop_token& stop);
  static Error given_up(const Op& op, std::string_view what);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Call> waiting_;
  size_t idle_ = 0;
  SteadyTime last_end_{};
  std::vector<std::jthread> threads_;
};

}  // namespace volplugin::backend
