// SPDX-License-Identifier: Apache-2.0
// Files: descriptors that close themselves, whole-file reads and writes that survive a crash, advisory
// locks. No state; every function may be called from any thread.
#pragma once

#include "base/bytes.h"
#include "base/op.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/types.h>

namespace volplugin::os {

// Owns one descriptor and closes it. Movable, not copyable. Not thread-safe by itself.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }  // the caller closes it from now on
  void reset();

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC added. Errors: by errno, naming the path.
Result<FileDescriptor> open_file(const std::string& path, int flags, mode_t mode = 0);

// The whole content. Errors: not_found; corrupt when it is larger than `cap`.
Result<std::string> read_file(const std::string& path, Bytes cap = Bytes::mib(1));

enum class Durability {
  none,    // readers never see half a file; a power cut may lose it
  synced,  // on return content and name survive a power cut
};

// Writes a sibling temporary file and renames it over `path`. Idempotent: a left-over temporary file of
// a crash is overwritten. One writer per path at a time. Errors: effect unknown once renamed.
Result<> write_file_atomically(const std::string& path, std::string_view content, mode_t mode,
                               Durability durability);

// Makes names created in or removed from the directory survive a power cut.
Result<> fsync_directory(const std::string& path);

// Exclusive flock(2) on the open file description: lives until the last copy of the descriptor (also
// one the kernel holds) is closed. true: held now. false: somebody else has it. Does not block.
Result<bool> try_lock(const FileDescriptor& file);

// As try_lock, but waits. Errors: deadline_exceeded or cancelled (nothing held then).
Result<> lock(const Op& op, const FileDescriptor& file, std::string_view what);

// Gives the lock up for all copies of the descriptor at once, also those a program that is being started
// still has. Closing alone would not.
void unlock(const FileDescriptor& file);

}  // namespace volplugin::os
