// SPDX-License-Identifier: Apache-2.0
// The only source of time. Production uses system_clock(); tests use FakeClock. Thread-safe.
#pragma once

#include "base/result.h"

#include <atomic>
#include <chrono>
#include <stop_token>
#include <string>

namespace volplugin {

using Millis = std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime now() const = 0;  // for deadlines; never goes back
  virtual WallTime wall() const = 0;   // for records people read
  // Blocks for so long, or until `stop` is requested. In real time, also with a clock that stands still; the
  // simulator's moves on instead.
  virtual void pause(Millis time, const std::stop_token& stop) const;
};

// The machine's clocks; one immutable object for the whole process.
const Clock& system_clock();

// Stands still until advanced.
class FakeClock final : public Clock {
 public:
  SteadyTime now() const override { return SteadyTime{} + Millis(ms_.load()); }
  WallTime wall() const override { return WallTime{Millis(1'700'000'000'000 + ms_.load())}; }
  void advance(Millis by) { ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> ms_{1};
};

// RFC 3339 in UTC with milliseconds, "2026-11-20T23:11:02.123Z", as Docker and the REST API want it.
std::string format_rfc3339(WallTime time);
// Inverse of format_rfc3339 (exactly that form). Errors: invalid_argument.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace volplugin
