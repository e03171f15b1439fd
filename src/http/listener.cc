// SPDX-License-Identifier: Apache-2.0
#include "http/listener.h"

#include "http/unix_path.h"

#include <array>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace volplugin::http {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<AddressList> resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &list);
  if (error != 0) {
    return make_error(Code::invalid_argument, fmt::format("cannot listen on {}: resolving '{}': {}",
                                                          address.text(), address.host, gai_strerror(error)));
  }
  return AddressList(list, &freeaddrinfo);
}

// SO_REUSEADDR so that a restart need not wait for old connections; never SO_REUSEPORT, with which two
// daemons would silently share the port.
Result<Fd> bind_tcp(const addrinfo& info) {
  Fd fd(::socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, info.ai_protocol));
  if (!fd) return errno_error(errno, "socket");
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return errno_error(errno, "SO_REUSEADDR");
  if (::bind(fd.get(), info.ai_addr, info.ai_addrlen) != 0) {
    const int number = errno;
    Error error = errno_error(number, "bind");
    if (number == EADDRINUSE) error.code = Code::already_exists;
    return error;
  }
  if (::listen(fd.get(), SOMAXCONN) != 0) return errno_error(errno, "listen");
  return fd;
}

std::string format_address(const sockaddr_storage& storage, socklen_t length) {
  if (storage.ss_family == AF_UNIX) return "unix";
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&storage), length, host.data(), host.size(), port.data(),
                  port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown";
  return Address{.path = {}, .host = host.data(), .port = port.data()}.text();
}

std::string local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "0";
  const std::string text = format_address(storage, length);
  return text.substr(text.rfind(':') + 1);
}

Result<Listener> open_tcp(const Address& address) {
  const AddressList list = TRY(resolve(address));
  Result<Fd> fd = make_error(Code::internal, "no address");
  for (const addrinfo* info = list.get(); info != nullptr && !fd; info = info->ai_next) fd = bind_tcp(*info);
  if (!fd) return std::move(fd.error()).with_context(fmt::format("cannot listen on {}", address.text()));
  Listener listener;
  Address real = address;
  real.port = local_port(fd->get());
  listener.address = real.text();
  listener.fd = std::move(*fd);
  return listener;
}

}  // namespace

Result<Listener> open_listener(const Address& address, SocketFile file) {
  if (!address.is_unix()) return open_tcp(address);
  BoundSocket bound = TRY_CTX(bind_unix(address.path, file), "cannot listen on {}", address.text());
  Listener listener;
  listener.fd = std::move(bound.fd);
  listener.address = address.text();
  listener.path = address.path;
  listener.device = bound.device;
  listener.inode = bound.inode;
  return listener;
}

Result<Listener> adopt_listener(int fd) {
  const auto option = [fd](int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
  };
  if (option(SO_TYPE) != SOCK_STREAM || option(SO_ACCEPTCONN) != 1)
    return make_error(Code::invalid_argument, fmt::format("descriptor {} is no listening stream socket", fd));
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return errno_error(errno, fmt::format("adopting descriptor {}", fd));
  Listener listener;
  listener.fd = Fd(fd);
  return listener;
}

Peer describe_peer(int connected_fd) {
  Peer peer;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(connected_fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    peer.address = "unknown";
    return peer;
  }
  peer.address = format_address(storage, length);
  peer.unix_socket = storage.ss_family == AF_UNIX;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (peer.unix_socket && ::getsockopt(connected_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.pid = credentials.pid;
    peer.uid = credentials.uid;
  }
  return peer;
}

}  // namespace volplugin::http
