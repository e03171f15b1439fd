// SPDX-License-Identifier: Apache-2.0
#include "unix_http.h"

#include "require.h"

#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr size_t kReceiveBytes = 256 * 1024;

size_t content_length(std::string_view head) {
  constexpr std::string_view kName = "Content-Length: ";
  const size_t at = head.find(kName);
  if (at == head.npos) return 0;  // 204
  return std::strtoull(head.data() + at + kName.size(), nullptr, 10);
}

}  // namespace

std::optional<UnixHttp> UnixHttp::connect(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(fd >= 0, "making a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) give_up(path + " is too long for a socket");
  path.copy(address.sun_path, path.size());
  UnixHttp connection(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
  return connection;
}

UnixHttp::UnixHttp(UnixHttp&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      received_(std::move(other.received_)),
      kept_alive_(other.kept_alive_) {}

UnixHttp::~UnixHttp() {
  if (fd_ >= 0) ::close(fd_);
}

pid_t UnixHttp::server() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  require(::getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, "asking who listens");
  return peer.pid;
}

void UnixHttp::receive() {
  static std::vector<char> buffer(kReceiveBytes);
  const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
  require(got >= 0, "reading an answer");
  if (got == 0) give_up("the server closed the connection");
  received_.append(buffer.data(), size_t(got));
}

std::string UnixHttp::exchange(std::string_view method, std::string_view target, std::string_view body) {
  const std::string request = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      method, target, body.size(), body);
  require(::write(fd_, request.data(), request.size()) == ssize_t(request.size()), "sending a request");
  size_t head = 0;
  while ((head = received_.find("\r\n\r\n")) == received_.npos) receive();
  head += 4;
  const size_t all = head + content_length(std::string_view(received_).substr(0, head));
  while (received_.size() < all) receive();
  kept_alive_ = !std::string_view(received_).substr(0, head).contains("\r\nConnection: close");
  const std::string answer = received_.substr(head, all - head);
  if (received_.compare(0, 10, "HTTP/1.1 2") != 0)
    give_up(fmt::format("{} {}: {}{}", method, target, received_.substr(0, received_.find('\r')), answer));
  received_.erase(0, all);
  return answer;
}

}  // namespace volplugin::bench
