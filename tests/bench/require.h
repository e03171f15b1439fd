// SPDX-License-Identifier: Apache-2.0
// A benchmark that cannot go on says why and ends; its daemon dies with it, tools/bench clears the rest.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

namespace volplugin::bench {

[[noreturn]] inline void give_up(std::string_view why) {
  fmt::print(stderr, "bench: {}\n", why);
  std::exit(1);
}

// `good`: a system call's result was no error; errno says what was wrong.
inline void require(bool good, std::string_view doing) {
  if (!good) give_up(fmt::format("{}: {}", doing, std::strerror(errno)));
}

}  // namespace volplugin::bench
