// SPDX-License-Identifier: Apache-2.0
// What stands at the start of a block device, past the page cache.
#pragma once

#include <string>

namespace volplugin::backend {

// Up to 4096 bytes, none of them 0. Whether the write succeeded.
bool write_at_start(const std::string& device, const std::string& text);

// What the last successful write_at_start() left there. Throws when the device cannot be read.
std::string read_at_start(const std::string& device);

}  // namespace volplugin::backend
