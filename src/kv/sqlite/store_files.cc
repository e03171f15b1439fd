// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/store_files.h"

#include <array>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::kv {
namespace {

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string parent_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

Result<> sync_directory(const std::string& path) {
  const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0)
    return errno_error(errno, fmt::format("syncing directory '{}'", path));
  return {};
}

Error held_error(int fd, const std::string& path) {
  std::array<char, 128> text{};
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  std::string holder(text.data(), size > 0 ? size_t(size) : 0);
  holder = holder.substr(0, holder.find('\n'));
  return make_error(Code::busy, fmt::format("store '{}' is in use by {}; stop it first", path,
                                            holder.empty() ? "another process" : holder));
}

}  // namespace

Result<StoreLock> StoreLock::acquire(const std::string& path, const Clock& clock) {
  const std::string name = path + ".lock";
  Descriptor file(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return errno_error(errno, fmt::format("opening '{}'", name));
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return held_error(file.get(), path);
    return errno_error(errno, fmt::format("locking '{}'", name));
  }
  // Only to tell people who holds it; a full disk must not keep the store from opening.
  const std::string holder = fmt::format("process {} since {}\n", getpid(), format_rfc3339(clock.wall()));
  if (ftruncate(file.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(file.get(), holder.data(), holder.size(), 0);
  }
  return StoreLock(file.release());
}

StoreLock::~StoreLock() {
  if (fd_ >= 0) close(fd_);
}

Result<> ensure_parent(const std::string& path) {
  const std::string parent = parent_of(path);
  struct stat info{};
  if (stat(parent.c_str(), &info) == 0) return {};  // not a directory: opening the file will tell
  if (errno != ENOENT) return errno_error(errno, fmt::format("looking at '{}'", parent));
  TRY(ensure_parent(parent));
  if (mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST)
    return errno_error(errno, fmt::format("making directory '{}'", parent));
  return sync_directory(parent_of(parent));
}

Result<> ensure_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return errno_error(errno, fmt::format("opening '{}'", path));
  return sync_directory(parent_of(path));
}

}  // namespace volplugin::kv
