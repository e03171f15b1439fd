// SPDX-License-Identifier: Apache-2.0
#include "http/unix_path.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace volplugin::http {
namespace {

enum class Probe { live, stale, missing };

Result<sockaddr_un> to_sockaddr(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return make_error(Code::invalid_argument, fmt::format("'{}' is too long for a unix socket", path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Fd stream_socket() {
  return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Whether somebody listens at `path`. Connecting is the only truthful answer: the file outlives its owner.
Result<Probe> probe(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0)
    return errno == ENOENT ? Result<Probe>(Probe::missing) : Result<Probe>(errno_error(errno, path));
  if (!S_ISSOCK(status.st_mode))
    return make_error(Code::already_exists, fmt::format("{} exists and is no socket; remove it", path));
  const sockaddr_un address = TRY(to_sockaddr(path));
  const Fd fd = stream_socket();
  if (!fd) return errno_error(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return Probe::live;
  switch (errno) {
    case ECONNREFUSED:
      return Probe::stale;
    case ENOENT:
      return Probe::missing;
    case EAGAIN:      // its queue is full
    case EPROTOTYPE:  // a live socket of another type
      return Probe::live;
    default:
      return errno_error(errno, fmt::format("connecting to {}", path));
  }
}

Error in_use(const std::string& path) {
  return make_error(Code::already_exists,
                    fmt::format("somebody listens at {} already; is another instance running?", path));
}

Result<> make_directories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (::mkdir(directory.c_str(), 0755) == 0) {
      // The umask may have taken bits away.
      if (::chmod(directory.c_str(), 0755) != 0)
        return errno_error(errno, fmt::format("chmod {}", directory));
    } else if (errno != EEXIST) {
      return errno_error(errno, fmt::format("making directory {}", directory));
    }
  }
  return {};
}

// A hidden sibling of `path`, no longer than it where that matters for the length of a socket address.
std::string temporary_name(const std::string& path) {
  static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  const size_t slash = path.rfind('/');
  std::string name(std::clamp<size_t>(path.size() - slash - 1, 5, 13), '.');
  if (::getrandom(name.data() + 1, name.size() - 1, 0) < 0) std::fill(name.begin() + 1, name.end(), 'x');
  for (size_t i = 1; i < name.size(); ++i) name[i] = kDigits[static_cast<unsigned char>(name[i]) % 32];
  return path.substr(0, slash + 1) + name;
}

// Moves the listening socket `from` to `path`. Two starters may do this at once: exchanging the files and
// then looking at what came back decides who was first, without a lock.
Result<> claim(const std::string& from, const std::string& path) {
  constexpr int kAttempts = 8;  // `path` may come and go between the two looks at it
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EEXIST) return errno_error(errno, fmt::format("renaming {} to {}", from, path));
    const Probe before = TRY(probe(path));
    if (before == Probe::live) return in_use(path);
    if (before == Probe::missing) continue;
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) != 0) {
      if (errno == ENOENT) continue;
      return errno_error(errno, fmt::format("replacing the stale {}", path));
    }
    // `from` now names what was at `path`.
    const auto after = probe(from);
    if (after && *after != Probe::live) return {};  // the caller unlinks `from`
    ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE);
    return in_use(path);
  }
  return make_error(Code::busy, fmt::format("{} keeps changing; does another process make it too?", path));
}

}  // namespace

Result<BoundSocket> bind_unix(const std::string& path, SocketFile file) {
  TRY(make_directories(path));
  // Says so early and without side effects in the usual cases.
  if (TRY(probe(path)) == Probe::live) return in_use(path);
  const std::string temporary = temporary_name(path);
  const sockaddr_un address = TRY(to_sockaddr(temporary));
  BoundSocket bound{.fd = stream_socket()};
  if (!bound.fd) return errno_error(errno, "socket");
  if (::bind(bound.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return errno_error(errno, fmt::format("binding {}", temporary));
  struct stat status{};
  Result<> made;
  // Group and mode come before listen(): until then nobody can connect whatever the umask was.
  if ((file.group && ::lchown(temporary.c_str(), uid_t(-1), *file.group) != 0) ||
      ::chmod(temporary.c_str(), file.mode) != 0 || ::lstat(temporary.c_str(), &status) != 0 ||
      ::listen(bound.fd.get(), SOMAXCONN) != 0)
    made = errno_error(errno, fmt::format("preparing {}", temporary));
  else
    made = claim(temporary, path);
  // Ours if something failed, else already gone or the stale file that was exchanged for it.
  ::unlink(temporary.c_str());
  if (!made) return std::move(made.error());
  bound.device = status.st_dev;
  bound.inode = status.st_ino;
  return bound;
}

void remove_socket_file(const std::string& path, dev_t device, ino_t inode) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return;
  if (status.st_dev == device && status.st_ino == inode) ::unlink(path.c_str());
}

}  // namespace volplugin::http
