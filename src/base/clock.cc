// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <condition_variable>
#include <cstdio>
#include <mutex>

namespace volplugin {
namespace {

class SystemClock final : public Clock {
 public:
  SteadyTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override {
    return std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  }
};

constexpr int kLastYear = 9999;

void put_digits(std::string& text, size_t at, size_t count, unsigned int number) {
  for (size_t i = at + count; i > at; number /= 10) text[--i] = char('0' + number % 10);
}

}  // namespace

void Clock::pause(Millis time, const std::stop_token& stop) const {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string format_rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss<Millis> clock{time - day};
  if (const int year = int(date.year()); year < 0 || year > kLastYear)
    return fmt::format("{}-01-01T00:00:00.000Z", year);  // parse_rfc3339() refuses it
  // By hand: a list of ten thousand volumes has twenty thousand of them.
  std::string text = "0000-00-00T00:00:00.000Z";
  put_digits(text, 0, 4, unsigned(int(date.year())));
  put_digits(text, 5, 2, unsigned(date.month()));
  put_digits(text, 8, 2, unsigned(date.day()));
  put_digits(text, 11, 2, unsigned(clock.hours().count()));
  put_digits(text, 14, 2, unsigned(clock.minutes().count()));
  put_digits(text, 17, 2, unsigned(clock.seconds().count()));
  put_digits(text, 20, 3, unsigned(clock.subseconds().count()));
  return text;
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  const std::string copy(text);
  int year = 0, hour = 0, minute = 0, second = 0, milli = 0, used = 0;
  unsigned month = 0, day = 0;
  const int fields = std::sscanf(copy.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour,
                                 &minute, &second, &milli, &used);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (fields != 7 || size_t(used) != copy.size() || !date.ok() || hour > 23 || minute > 59 || second > 59)
    return make_error(Code::invalid_argument,
                      fmt::format("time '{}' is not of the form 2026-01-31T12:00:00.000Z", copy));
  return WallTime{std::chrono::sys_days(date)} + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + Millis(milli);
}

}  // namespace volplugin
