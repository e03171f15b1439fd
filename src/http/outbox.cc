// SPDX-License-Identifier: Apache-2.0
#include "http/outbox.h"

#include <utility>

namespace volplugin::http {
namespace {

constexpr size_t kBatchBytes = size_t{64} << 10;
constexpr size_t kBatchTexts = 64;

}  // namespace

Outbox::Added Outbox::add(Stream::Text text) {
  const std::lock_guard lock(mutex_);
  if (closed_ || ending_) return Added::refused;
  if (bytes_ + text->size() > max_bytes_) {
    closed_ = true;
    texts_.clear();
    return Added::overflow;
  }
  bytes_ += text->size();
  texts_.push_back(std::move(text));
  return std::exchange(awake_, true) ? Added::waits : Added::wake;
}

bool Outbox::end() {
  const std::lock_guard lock(mutex_);
  if (closed_ || ending_) return false;
  ending_ = true;
  return !std::exchange(awake_, true);
}

void Outbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  texts_.clear();
}

bool Outbox::is_open() const {
  const std::lock_guard lock(mutex_);
  return !closed_ && !ending_;
}

Outbox::Batch Outbox::take() {
  const std::lock_guard lock(mutex_);
  bytes_ -= std::exchange(writing_, 0);
  Batch batch;
  while (!texts_.empty() && batch.texts.size() < kBatchTexts && writing_ < kBatchBytes) {
    writing_ += texts_.front()->size();
    batch.texts.push_back(std::move(texts_.front()));
    texts_.pop_front();
  }
  batch.last = batch.texts.empty() && ending_;
  awake_ = !batch.texts.empty();
  return batch;
}

}  // namespace volplugin::http
