// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/watch_stream.h"

namespace volplugin::kv {

WatchStream::~WatchStream() {
  finish();
}

void WatchStream::start(etcdserverpb::Watch::Stub& stub) {
  {
    const std::lock_guard lock(mutex_);
    started_ = held_ = true;
  }
  stub.async()->Watch(&context_, this);
  AddHold();
  StartRead(&reading_);
  StartCall();
}

void WatchStream::send(etcdserverpb::WatchRequest request) {
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return;
    if (is_writing_) {
      waiting_.push_back(std::move(request));
      return;
    }
    is_writing_ = true;
    writing_ = std::move(request);
  }
  StartWrite(&writing_);
}

std::optional<etcdserverpb::WatchResponse> WatchStream::take() {
  std::optional<etcdserverpb::WatchResponse> answer;
  {
    const std::lock_guard lock(mutex_);
    if (!has_answer_) return answer;
    has_answer_ = false;
    answer = std::move(reading_);
    reading_ = {};
  }
  StartRead(&reading_);
  return answer;
}

bool WatchStream::broken() {
  const std::lock_guard lock(mutex_);
  return broken_;
}

grpc::Status WatchStream::finish() {
  std::unique_lock lock(mutex_);
  if (!started_) return {grpc::StatusCode::CANCELLED, "not started"};
  const bool ended = std::exchange(broken_, true);
  if (std::exchange(held_, false)) {
    lock.unlock();
    if (!ended) context_.TryCancel();  // otherwise its own status is on the way
    RemoveHold();
    lock.lock();
  }
  done_changed_.wait(lock, [this] { return done_; });
  return status_;
}

void WatchStream::OnReadDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    (ok ? has_answer_ : broken_) = true;
  }
  woken_();
}

void WatchStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    is_writing_ = false;
    if (!ok) broken_ = true;
    if (broken_ || waiting_.empty()) return;  // OnReadDone tells of the end
    is_writing_ = true;
    writing_ = std::move(waiting_.front());
    waiting_.pop_front();
  }
  StartWrite(&writing_);
}

// With the lock held to the end: the owner destroys this object when it has seen done_.
void WatchStream::OnDone(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
  done_ = true;
  done_changed_.notify_all();
}

}  // namespace volplugin::kv
