// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/stride.h"

#include <algorithm>

namespace volplugin::kv {
namespace {

constexpr unsigned int kHighest = 255;  // byte
constexpr std::uint64_t kTooMany = 2;   // times what is wanted

// Behind its end a key is as good as 0: nothing lies between.
unsigned int byte_at(std::string_view key, size_t at) {
  return at < key.size() ? static_cast<unsigned char>(key[at]) : 0;
}

}  // namespace

Stride::Stride(std::string first, std::string end, size_t common)
    : from_(std::move(first)), bound_(end), end_(std::move(end)), common_(common), depth_(common) {}

void Stride::take(const Answer& answer) {
  if (answer.more) {
    from_ = std::string(answer.last) + '\0';
    // Otherwise the rest is asked for with the same bound.
    if (answer.count > kTooMany * answer.wanted) narrow(answer);
    return;
  }
  from_ = bound_;
  // What was left of a level says nothing about what comes after it.
  if (answer.count == 0 && !rest_)
    width_ = kHighest + 1;
  else if (answer.returned < answer.wanted / 2)
    width_ *= 2;
  place();
}

void Stride::narrow(const Answer& answer) {
  const auto parted = std::ranges::mismatch(answer.first, answer.last);
  const auto same = size_t(parted.in2 - answer.last.begin());
  depth_ = same + 1;
  width_ = std::max(byte_at(answer.last, same) - byte_at(answer.first, same), 1U);
  place();
}

void Stride::place() {
  rest_ = false;
  for (depth_ = std::min(depth_, from_.size() + 1); depth_ > common_; --depth_, width_ = 1, rest_ = true) {
    const unsigned int raised = byte_at(from_, depth_ - 1) + width_;
    if (raised > kHighest) continue;
    bound_ = std::min(from_.substr(0, depth_ - 1) + char(raised), end_);
    return;
  }
  bound_ = end_;
}

}  // namespace volplugin::kv
