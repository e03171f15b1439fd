// SPDX-License-Identifier: Apache-2.0
// Listening sockets (plain POSIX): how they come to be, whose file is whose, and who is at the other end.
#pragma once

#include "base/result.h"
#include "http/address.h"
#include "http/fd.h"
#include "http/server.h"

#include <string>

#include <sys/types.h>

namespace volplugin::http {

struct Listener {
  Fd fd;                // non-blocking, close-on-exec, listening
  std::string address;  // with the real port
  std::string path;     // of the socket file we made; empty: none
  dev_t device = 0;     // identity of that file
  ino_t inode = 0;
};

// See Server::listen().
Result<Listener> open_listener(const Address& address, SocketFile file);
// Checks that `fd` is a listening stream socket and makes it non-blocking. Takes it only on success.
Result<Listener> adopt_listener(int fd);
Peer describe_peer(int connected_fd);

}  // namespace volplugin::http
