// SPDX-License-Identifier: Apache-2.0
#include "os/systemd.h"

#include <cstdlib>

#include <systemd/sd-daemon.h>

namespace volplugin::os {

Result<std::vector<PassedSocket>> take_passed_sockets() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  if (count < 0) return errno_error(-count, "taking the sockets of socket activation");
  std::vector<PassedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    sockets.push_back({names != nullptr ? names[i] : "unknown", FileDescriptor(SD_LISTEN_FDS_START + i)});
    if (names != nullptr) std::free(names[i]);
  }
  std::free(names);
  return sockets;
}

void notify_ready(const std::string& status) {
  ::sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str());
}

void notify_stopping(const std::string& status) {
  ::sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status.c_str());
}

}  // namespace volplugin::os
