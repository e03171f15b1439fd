// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/signals.h"

namespace volplugin::lvmvd {

EndSignals::EndSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  // A blocked signal is not ignored any more, so this one must not be blocked when it was.
  struct sigaction inherited{};
  if (sigaction(SIGHUP, nullptr, &inherited) == 0 && inherited.sa_handler != SIG_IGN)
    sigaddset(&set_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
}

void EndSignals::wait() const {
  int number = 0;
  sigwait(&set_, &number);
}

}  // namespace volplugin::lvmvd
