// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

namespace volplugin::backend {

// Mounts the device on the directory in a mount namespace of another process, until the result is destroyed.
// A blank device gets a file system first.
std::shared_ptr<void> mount_elsewhere(const std::string& device, const std::string& directory);

}  // namespace volplugin::backend
