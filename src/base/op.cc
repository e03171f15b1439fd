// SPDX-License-Identifier: Apache-2.0
#include "base/op.h"

#include <algorithm>

#include <sys/random.h>

namespace volplugin {

Op::Op(const Clock& clock, Millis timeout, std::string request_id, std::string actor, std::stop_token stop)
    : clock_(&clock),
      deadline_(clock.now() + timeout),
      request_id_(std::move(request_id)),
      actor_(std::move(actor)),
      stop_(std::move(stop)) {}

Op Op::with_timeout(Millis timeout) const {
  Op copy = *this;
  copy.deadline_ = std::min(deadline_, clock_->now() + timeout);
  return copy;
}

Op Op::for_cleanup(Millis timeout) const {
  Op copy = *this;
  copy.deadline_ = clock_->now() + timeout;
  copy.stop_ = {};
  return copy;
}

Result<> Op::check(std::string_view what) const {
  if (stop_.stop_requested())
    return make_error(Code::cancelled, fmt::format("{}: the caller went away", what));
  if (clock_->now() >= deadline_)
    return make_error(Code::deadline_exceeded, fmt::format("{}: deadline exceeded", what));
  return {};
}

Millis Op::remaining() const {
  const auto left = std::chrono::duration_cast<Millis>(deadline_ - clock_->now());
  return std::max(left, Millis(0));
}

bool Op::sleep(Millis time) const {
  clock_->pause(std::min(time, remaining()), stop_);
  return check("waiting").has_value();
}

std::string make_request_id() {
  std::uint64_t value = 0;
  if (getrandom(&value, sizeof value, 0) != sizeof value)
    value = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return fmt::format("{:016x}", value);
}

}  // namespace volplugin
