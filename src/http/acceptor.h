// SPDX-License-Identifier: Apache-2.0
// Acceptor: takes connections from one listening socket while its owner has room. Everything runs on the
// I/O thread; the owner outlives the io_context's last callback.
#pragma once

#include "http/asio.h"
#include "http/fd.h"

#include <functional>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

namespace volplugin::http {

class Acceptor {
 public:
  struct Owner {
    std::function<bool()> has_room;
    std::function<void(Fd)> accepted;
  };

  Acceptor(asio::io_context& io, Fd listening, Owner owner);

  // Waits for connections; no-op while it already does or has no room. Called again when there is room.
  void arm();
  void close();

 private:
  void on_readable();
  void retry_later();

  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> socket_;
  Timer retry_;
  Owner owner_;
  bool armed_ = false;
};

}  // namespace volplugin::http
