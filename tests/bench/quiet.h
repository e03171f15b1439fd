// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace volplugin::bench {

// Waits until udev has done what earlier work gave it to do, without starting a program for it.
void await_quiet_udev();

}  // namespace volplugin::bench
