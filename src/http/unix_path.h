// SPDX-License-Identifier: Apache-2.0
// Claiming a unix socket path: atomically, without lock files, never from a live owner.
#pragma once

#include "base/result.h"
#include "http/fd.h"
#include "http/server.h"

#include <string>

#include <sys/types.h>

namespace volplugin::http {

struct BoundSocket {
  Fd fd;             // non-blocking, close-on-exec, listening
  dev_t device = 0;  // identity of its file
  ino_t inode = 0;
};

// The socket is made under a temporary name in the same directory and moved to `path` when it listens and
// has its mode and group, so nobody ever sees it half-made. (Tools like ss show the temporary name.) A
// missing parent directory is made. Errors: already_exists when somebody listens at `path` or it is not a
// socket.
Result<BoundSocket> bind_unix(const std::string& path, SocketFile file);

// Removes `path` if it is still that file.
void remove_socket_file(const std::string& path, dev_t device, ino_t inode);

}  // namespace volplugin::http
