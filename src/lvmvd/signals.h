// SPDX-License-Identifier: Apache-2.0
// How lvmvd is told to end: SIGTERM, SIGINT, and SIGHUP (its terminal was closed) unless it was started with
// SIGHUP ignored, as nohup does.
#pragma once

#include <signal.h>

namespace volplugin::lvmvd {

class EndSignals {
 public:
  // Blocks them for this thread and all that it starts. Call before the first thread starts; until then they
  // end the process at once.
  EndSignals();
  // Blocks until one came.
  void wait() const;

 private:
  sigset_t set_{};
};

}  // namespace volplugin::lvmvd
