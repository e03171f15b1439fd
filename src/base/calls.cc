// SPDX-License-Identifier: Apache-2.0
#include "base/calls.h"

#include <pthread.h>

namespace volplugin {
namespace {

SteadyTime real_now() {
  return std::chrono::steady_clock::now();  // how long threads are stuck has nothing to do with a test's
                                            // clock
}

}  // namespace

Calls::~Calls() {
  for (auto& thread : threads_) thread.request_stop();
}

Result<> Calls::enqueue(std::string_view what, Call call) {
  const std::lock_guard lock(mutex_);
  const bool all_taken = idle_ <= waiting_.size() && threads_.size() == most_threads_;
  if (all_taken && real_now() - last_end_ > kPatience)
    return make_error(Code::unavailable,
                      fmt::format("{}: {} calls wait for an answer already and none has come for {} s", what,
                                  most_threads_, kPatience.count() / 1000));
  waiting_.push_back(std::move(call));
  if (idle_ < waiting_.size() && threads_.size() < most_threads_) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    pthread_setname_np(threads_.back().native_handle(), fmt::format("{}-{}", name_, threads_.size()).c_str());
    last_end_ = real_now();
  }
  changed_.notify_one();
  return {};
}

void Calls::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    call();
    call = nullptr;  // what it owns ends outside the lock
    lock.lock();
    last_end_ = real_now();
  }
}

Error Calls::given_up(const Op& op, std::string_view what) {
  const auto over = op.check(what);
  Error error =
      over ? make_error(Code::deadline_exceeded, fmt::format("{}: no answer in time", what)) : over.error();
  error.effect = Effect::unknown;
  return error;
}

}  // namespace volplugin
