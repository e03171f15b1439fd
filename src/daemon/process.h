// SPDX-License-Identifier: Apache-2.0
// What every daemon does around its work.
#pragma once

#include "daemon/settings.h"

#include <functional>
#include <memory>

namespace volplugin::daemon {

// Blocks the signals of wait_for_end() for all threads, keeps memory small and opens the log. Call first in
// main().
void prepare_process(const CommonSettings& settings);

// Blocks until SIGTERM or SIGINT; SIGUSR1 logs a line about the process's state, SIGHUP does nothing.
void wait_for_end();

// The message and exit code 1 for a daemon that could not start.
int failed_to_start(const Error& error);

}  // namespace volplugin::daemon
