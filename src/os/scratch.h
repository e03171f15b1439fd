// SPDX-License-Identifier: Apache-2.0
// For tests only: places to work in that clean up after themselves, and waiting without sleeping blindly.
#pragma once

#include "base/check.h"
#include "os/file.h"
#include "os/mount_table.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace volplugin::os {

// A directory that is removed, with everything mounted below it, at the end.
class ScratchDir {
 public:
  ScratchDir() {
    char name[] = "/tmp/volplugin-test.XXXXXX";
    CHECK(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  ~ScratchDir() {
    if (const auto entries = read_mount_table())
      for (const MountEntry& entry : *entries)
        if (entry.mount_point.starts_with(path_ + "/")) ::umount2(entry.mount_point.c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A mount namespace of its own for the calling thread and the threads it starts: nothing mounted here
// outlives the process, and other programs' namespaces cannot pin it. Needs root. Use in the main thread.
class PrivateMounts {
 public:
  PrivateMounts()
      : before_(::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC)),
        root_(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)),
        directory_(std::filesystem::current_path()) {
    CHECK(::unshare(CLONE_NEWNS) == 0);
    CHECK(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    // Copies of other people's volumes would keep their devices busy.
    if (const auto entries = read_mount_table())
      for (const MountEntry& entry : *entries)
        if (entry.source.starts_with("/dev/loop")) ::umount2(entry.mount_point.c_str(), MNT_DETACH);
  }
  PrivateMounts(const PrivateMounts&) = delete;
  PrivateMounts& operator=(const PrivateMounts&) = delete;
  ~PrivateMounts() {
    // A thread that was started meanwhile shares our root and working directory, and then setns refuses.
    CHECK(::unshare(CLONE_FS) == 0);
    CHECK(::setns(before_.get(), CLONE_NEWNS) == 0);
    // setns goes to the namespace's own root: back into the chroot, if we were in one.
    CHECK(::fchdir(root_.get()) == 0 && ::chroot(".") == 0);
    std::filesystem::current_path(directory_);
  }

 private:
  FileDescriptor before_;
  FileDescriptor root_;
  std::filesystem::path directory_;
};

// Polls until the condition holds; false when it does not within `timeout`.
template <class Condition>
bool wait_until(Condition condition, std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace volplugin::os
