// SPDX-License-Identifier: Apache-2.0
// What the bare sides do with block devices, with system calls alone. A failure ends the benchmark.
#pragma once

#include <string>

namespace volplugin::bench {

int open_or_end(const std::string& path, int flags);  // the descriptor; a new file has mode 0600

struct LoopDevice {
  int fd = -1;         // the caller closes it; the device vanishes with its last user
  std::string device;  // "/dev/loop7"
};

// The file as a block device, past the page cache.
LoopDevice attach_loop(const std::string& file);
// Waits until the kernel let go of the device.
void await_autoclear(const std::string& device);

// No signature, and zeros where one would be.
void require_blank(const std::string& device);

}  // namespace volplugin::bench
