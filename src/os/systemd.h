// SPDX-License-Identifier: Apache-2.0
// The service manager's side channel: sockets it opened for us, and telling it how we are. Without
// systemd every call is a cheap no-op. Call from the main thread.
#pragma once

#include "base/result.h"
#include "os/file.h"

#include <string>
#include <vector>

namespace volplugin::os {

struct PassedSocket {
  std::string name;  // FileDescriptorName= of the socket unit; "unknown" without one
  FileDescriptor fd;
};

// The sockets of socket activation; empty when started by hand. The environment variables are removed:
// a second call gets nothing.
Result<std::vector<PassedSocket>> take_passed_sockets();

void notify_ready(const std::string& status);
void notify_stopping(const std::string& status);

}  // namespace volplugin::os
