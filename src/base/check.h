// SPDX-License-Identifier: Apache-2.0
// CHECK: an invariant that only a defect can break. On in every build; prints and aborts.
#pragma once

namespace volplugin::detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define CHECK(expression)                                                                  \
  do {                                                                                     \
    if (!(expression)) ::volplugin::detail::check_failed(#expression, __FILE__, __LINE__); \
  } while (false)
