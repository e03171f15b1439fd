// SPDX-License-Identifier: Apache-2.0
#include "os/file.h"

#include <cerrno>
#include <cstdio>
#include <thread>

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::os {
namespace {

Result<> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno_error(errno, fmt::format("writing '{}'", path));
    content.remove_prefix(size_t(written));
  }
  return {};
}

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> fill_temporary(const std::string& path, std::string_view content, mode_t mode,
                        Durability durability) {
  FileDescriptor file = TRY(open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
  // The umask and the mode of a left-over temporary file must not decide.
  if (::fchmod(file.get(), mode) != 0)
    return errno_error(errno, fmt::format("setting the mode of '{}'", path));
  TRY(write_all(file.get(), content, path));
  if (durability == Durability::synced && ::fsync(file.get()) != 0)
    return errno_error(errno, fmt::format("syncing '{}'", path));
  return {};
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void FileDescriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<FileDescriptor> open_file(const std::string& path, int flags, mode_t mode) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (fd >= 0) return FileDescriptor(fd);
    if (errno != EINTR) return errno_error(errno, fmt::format("opening '{}'", path));
  }
}

Result<std::string> read_file(const std::string& path, Bytes cap) {
  const FileDescriptor file = TRY(open_file(path, O_RDONLY));
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(errno, fmt::format("reading '{}'", path));
    if (got == 0) return content;
    content.append(buffer, size_t(got));
    if (content.size() > cap.count)
      return make_error(Code::corrupt,
                        fmt::format("'{}' is larger than the {} bytes expected at most", path, cap.count));
  }
}

Result<> write_file_atomically(const std::string& path, std::string_view content, mode_t mode,
                               Durability durability) {
  const std::string temporary = path + ".tmp";
  if (auto filled = fill_temporary(temporary, content, mode, durability); !filled) {
    ::unlink(temporary.c_str());
    return filled;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int number = errno;
    ::unlink(temporary.c_str());
    return errno_error(number, fmt::format("renaming '{}' to '{}'", temporary, path));
  }
  if (durability == Durability::none) return {};
  auto synced = fsync_directory(parent_of(path));
  if (!synced) synced.error().effect = Effect::unknown;
  return synced;
}

Result<> fsync_directory(const std::string& path) {
  const FileDescriptor directory = TRY(open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(directory.get()) != 0) return errno_error(errno, fmt::format("syncing directory '{}'", path));
  return {};
}

Result<bool> try_lock(const FileDescriptor& file) {
  for (;;) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return errno_error(errno, "locking a file");
  }
}

Result<> lock(const Op& op, const FileDescriptor& file, std::string_view what) {
  for (Millis pause{1};; pause = std::min(pause * 2, Millis(50))) {
    TRY(op.check(what));
    if (TRY_CTX(try_lock(file), "{}", what)) return {};
    // flock() can wait but not until a deadline, and a signal to end it would hit any thread.
    std::this_thread::sleep_for(std::min(pause, std::max(op.remaining(), Millis(1))));
  }
}

void unlock(const FileDescriptor& file) {
  ::flock(file.get(), LOCK_UN);
}

}  // namespace volplugin::os
