// SPDX-License-Identifier: Apache-2.0
// Log: one line per event, "2026/11/21 03:00:00 text" in local time, on stderr unless told otherwise.
// Thread-safe if its sink is.
#pragma once

#include "base/clock.h"

#include <functional>
#include <string>
#include <string_view>

namespace volplugin::lvmvd {

enum class Detail { normal, debug };

class Log {
 public:
  using Sink = std::function<void(const std::string& line)>;  // the line ends with '\n'

  Log(const Clock& clock, Detail detail, Sink sink = to_stderr);

  void line(std::string_view text) const;
  void debug(std::string_view text) const;  // nothing unless the detail is debug

  static void to_stderr(const std::string& line);

 private:
  const Clock& clock_;
  const Detail detail_;
  const Sink sink_;
};

}  // namespace volplugin::lvmvd
