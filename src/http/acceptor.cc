// SPDX-License-Identifier: Apache-2.0
#include "http/acceptor.h"

#include <cerrno>

#include <sys/socket.h>

namespace volplugin::http {
namespace {

constexpr int kBatch = 16;  // connections per wake-up, so that none starves the others
constexpr std::chrono::milliseconds kRetry{100};

}  // namespace

Acceptor::Acceptor(asio::io_context& io, Fd listening, Owner owner)
    : socket_(io, listening.release()), retry_(io), owner_(std::move(owner)) {}

void Acceptor::arm() {
  if (armed_ || !socket_.is_open() || !owner_.has_room()) return;
  armed_ = true;
  socket_.async_wait(asio::posix::descriptor_base::wait_read, [this](error_code ec) {
    armed_ = false;
    if (!ec) on_readable();
  });
}

void Acceptor::close() {
  error_code ignored;
  socket_.close(ignored);
  retry_.cancel();
}

void Acceptor::on_readable() {
  for (int i = 0; i < kBatch && socket_.is_open() && owner_.has_room(); ++i) {
    Fd fd(::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      owner_.accepted(std::move(fd));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return retry_later();  // the connection stays in the queue: waiting for it would spin
    } else if (errno != ECONNABORTED && errno != EINTR) {
      break;
    }
  }
  arm();
}

void Acceptor::retry_later() {
  retry_.expires_after(kRetry);
  retry_.async_wait([this](error_code ec) {
    if (!ec) arm();
  });
}

}  // namespace volplugin::http
