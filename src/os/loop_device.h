// SPDX-License-Identifier: Apache-2.0
// Loop devices that leak nothing: AUTOCLEAR is always set, so a device lives while somebody has it open
// or mounted and vanishes with the last user, whatever happens to this process.
//
//   LoopControl::attach()  last descriptor closed and not mounted
//   (free) ------------> (configured) ------------------------------> (free)
//
// The kernel keeps the open file description it was given, so a flock() on it lives as long as the
// device is configured (proven by loop_device_test.cc).
#pragma once

#include "base/op.h"
#include "base/result.h"
#include "os/file.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include <sys/types.h>

namespace volplugin::os {

// A hold on a configured loop device: while it lives the device shows the same file. Movable.
class LoopDevice {
 public:
  LoopDevice(std::string path, FileDescriptor fd, bool direct_io)
      : path_(std::move(path)), fd_(std::move(fd)), direct_io_(direct_io) {}

  const std::string& path() const { return path_; }  // "/dev/loop3"
  int fd() const { return fd_.get(); }
  // false: the file system below refused direct I/O, data passes the page cache twice.
  bool direct_io() const { return direct_io_; }

 private:
  std::string path_;
  FileDescriptor fd_;
  bool direct_io_;
};

enum class LoopAccess { read_write, read_only };

struct LoopRequest {
  int backing_fd = -1;       // open on the file; the kernel keeps this very file description
  std::string backing_path;  // shown in /sys and by losetup, not used to open anything
  LoopAccess access = LoopAccess::read_write;
  std::uint32_t sector_size = 4096;  // or 512: a file system with smaller blocks or sectors cannot be mounted
};

// Hands out free loop devices. Keeps nothing but a mutex, so that threads of this process do not fight
// for the same free device. Any thread; one object per process is best but not required.
class LoopControl {
 public:
  // Takes a free loop device and shows the file on it. Another process that is
  // faster makes it try the next device. Never checks whether the file is attached already.
  // Errors: unsupported (kernel without loop or older than 5.8), resource_exhausted (no free device),
  // deadline_exceeded or cancelled; effect none always.
  Result<LoopDevice> attach(const Op& op, const LoopRequest& request);

 private:
  std::mutex mutex_;
};

// The device that shows the file with that device and inode number (not by name: names change), with a
// hold on it; nullopt when there is none.
Result<std::optional<LoopDevice>> find_loop_of(dev_t device, ino_t inode);

// As find_loop_of(), by the path that the kernel shows for the file. For files that a process serves (FUSE):
// when that has died they have no inode to ask for any more. Two devices on one path: the first of them.
Result<std::optional<LoopDevice>> find_loop_on(const std::string& backing_path);

// A hold on a device that is configured already. Errors: not_found when it is not configured.
Result<LoopDevice> open_existing_loop(const std::string& path);

}  // namespace volplugin::os
