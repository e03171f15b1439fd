// SPDX-License-Identifier: Apache-2.0
// The files of an SqliteStore before SQLite opens them: the directory, the lock that keeps a second
// process out, and an empty database file with the right mode.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <string>

namespace volplugin::kv {

// The lock on `path`.lock, held until destroyed or the process ends. The file stays: removing it would
// let two processes lock two different files of the same name.
class StoreLock {
 public:
  // Errors: busy, naming the holder if it can be read; permission_denied; not_found.
  static Result<StoreLock> acquire(const std::string& path, const Clock& clock);
  StoreLock(StoreLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock();

 private:
  explicit StoreLock(int fd) : fd_(fd) {}
  int fd_;
};

// Makes the parent directory of `path` (mode 0700) if it is missing; durable when it returns.
Result<> ensure_parent(const std::string& path);

// Makes `path` as an empty file of mode 0600 if it is missing; durable when it returns. Only to be
// called while SQLite does not have the file open: closing it drops SQLite's locks (POSIX).
Result<> ensure_file(const std::string& path);

}  // namespace volplugin::kv
