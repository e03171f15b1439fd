// SPDX-License-Identifier: Apache-2.0
// The value of a Result, or the end of the benchmark.
#pragma once

#include "base/result.h"
#include "require.h"

namespace volplugin::bench {

template <class T>
T take(Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace volplugin::bench
