// SPDX-License-Identifier: Apache-2.0
#include "http/raw_socket_for_test.h"

#include <cstring>

#include <netdb.h>
#include <sys/un.h>

namespace volplugin::http::test {

RawSocket::RawSocket(const std::string& text) {
  const auto address = parse_address(text);
  if (!address) return;
  if (address->is_unix()) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address->path.c_str(), sizeof to.sun_path - 1);
    fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connected_ = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    return;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(address->host.c_str(), address->port.c_str(), &hints, &list) != 0) return;
  fd_ = Fd(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  connected_ = ::connect(fd_.get(), list->ai_addr, list->ai_addrlen) == 0;
  ::freeaddrinfo(list);
}

void RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the peer closed: what follows will show it
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

bool RawSocket::fill() {
  pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&wait, 1, static_cast<int>(kPatience.count())) != 1) {
    ADD_FAILURE() << "nothing received in time";
    return false;
  }
  std::array<char, 4096> bytes{};
  const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (size <= 0) return false;
  buffer_.append(bytes.data(), static_cast<size_t>(size));
  return true;
}

Answer RawSocket::receive(bool head) {
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return {};
  Answer answer{.head = buffer_.substr(0, end + 4)};
  buffer_.erase(0, end + 4);
  answer.status = std::atoi(answer.head.substr(9, 3).c_str());
  const size_t at = answer.head.find("Content-Length: ");
  const size_t length =
      at == std::string::npos || head ? 0 : static_cast<size_t>(std::atoll(answer.head.c_str() + at + 16));
  while (buffer_.size() < length)
    if (!fill()) return {};
  answer.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return answer;
}

bool RawSocket::closed() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (fill())
    if (std::chrono::steady_clock::now() > end) return false;
  return true;
}

}  // namespace volplugin::http::test
