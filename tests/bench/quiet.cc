// SPDX-License-Identifier: Apache-2.0
#include "quiet.h"

#include "require.h"
#include "samples.h"

#include <time.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr MilliSeconds kPatience{30'000};
constexpr int kQuietLooks = 10;  // in a row, 10 ms apart: an event may be on its way

}  // namespace

void await_quiet_udev() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (int quiet = 0; quiet < kQuietLooks;) {
    if (std::chrono::steady_clock::now() > until) give_up("udev does not come to rest");
    quiet = ::access("/run/udev/queue", F_OK) == 0 ? 0 : quiet + 1;
    const timespec pause{0, 10'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace volplugin::bench
