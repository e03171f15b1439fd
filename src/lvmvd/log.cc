// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/log.h"

#include "base/one_line.h"

#include <array>
#include <ctime>

#include <unistd.h>

namespace volplugin::lvmvd {

Log::Log(const Clock& clock, Detail detail, Sink sink)
    : clock_(clock), detail_(detail), sink_(std::move(sink)) {}

void Log::line(std::string_view text) const {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(clock_.wall());
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> time{};
  std::strftime(time.data(), time.size(), "%Y/%m/%d %H:%M:%S", &local);
  sink_(fmt::format("{} {}\n", time.data(), on_one_line(text)));
}

void Log::debug(std::string_view text) const {
  if (detail_ == Detail::debug) line(text);
}

// One write, so that the lines of several threads stay whole.
void Log::to_stderr(const std::string& line) {
  std::ignore = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace volplugin::lvmvd
