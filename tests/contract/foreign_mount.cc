// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/foreign_mount.h"

#include "base/check.h"
#include "os/block_device.h"
#include "os/mount.h"
#include "os/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

// A process that has the device mounted in a mount namespace of its own.
class ForeignMount {
 public:
  ForeignMount(const std::string& device, const std::string& directory) {
    int ready[2];
    CHECK(::pipe2(ready, O_CLOEXEC) == 0);
    pid_ = ::fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) mount_and_stay(device.c_str(), directory.c_str(), ready[1]);
    ::close(ready[1]);
    char byte = 0;
    const bool mounted = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    CHECK(mounted);
  }
  ForeignMount(const ForeignMount&) = delete;
  ForeignMount& operator=(const ForeignMount&) = delete;
  ~ForeignMount() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  [[noreturn]] static void mount_and_stay(const char* device, const char* directory, int ready) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent's descriptors hold devices and locks: only the mount may count here.
    ::dup2(ready, 3);
    ::close_range(4, ~0U, 0);
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount(device, directory, "ext4", 0, nullptr) == 0;
    if (mounted) (void)!::write(3, "x", 1);
    ::close(3);
    for (;;) ::pause();
  }

  pid_t pid_ = -1;
};

}  // namespace

std::shared_ptr<void> mount_elsewhere(const std::string& device, const std::string& directory) {
  const auto found = os::probe(device);
  CHECK(found);
  if (found->blank) {
    const Op op(system_clock(), Millis(20'000), "test", "test");
    const auto made = os::run(op, {.argv = {"mkfs.ext4", "-q", device}, .package = "e2fsprogs"});
    CHECK(made && made->succeeded());
  }
  CHECK(os::ensure_directory(directory, 0700));
  return std::make_shared<ForeignMount>(device, directory);
}

}  // namespace volplugin::backend
