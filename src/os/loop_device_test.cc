// SPDX-License-Identifier: Apache-2.0
// Real loop devices on images in a scratch directory.
#include "os/loop_device.h"

#include "os/block_device.h"
#include "os/scratch.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace volplugin::os {
namespace {

Op make_op(Millis timeout = Millis(20'000)) {
  return Op(system_clock(), timeout, "test", "test");
}

class LoopTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: loop devices need root";
  }

  FileDescriptor make_image(const std::string& name) {
    FileDescriptor file = *open_file(dir_ / name, O_RDWR | O_CREAT, 0600);
    CHECK(::ftruncate(file.get(), 4 << 20) == 0);
    return file;
  }

  Result<LoopDevice> attach(const FileDescriptor& file, const std::string& name) {
    return loops_.attach(make_op(), {.backing_fd = file.get(), .backing_path = dir_ / name});
  }

  bool attached(const FileDescriptor& file) {
    struct stat status{};
    CHECK(::fstat(file.get(), &status) == 0);
    const auto found = find_loop_of(status.st_dev, status.st_ino);
    EXPECT_TRUE(found);
    return found && found->has_value();
  }

  // The image can be locked by a new open file description.
  bool lockable(const std::string& name) { return *try_lock(*open_file(dir_ / name, O_RDWR)); }

  ScratchDir dir_;
  LoopControl loops_;
};

TEST_F(LoopTest, ShowsTheFileAndVanishesWithTheLastUser) {
  const FileDescriptor file = make_image("image");
  ASSERT_EQ(::pwrite(file.get(), "hello", 5, 8192), 5);
  {
    const auto device = attach(file, "image");
    ASSERT_TRUE(device) << device.error().message;
    EXPECT_TRUE(device->direct_io());
    EXPECT_EQ(*device_size(device->path()), Bytes::mib(4));
    int sector = 0;
    ASSERT_EQ(::ioctl(device->fd(), BLKSSZGET, &sector), 0);
    EXPECT_EQ(sector, 4096);
    char text[6] = {};
    ASSERT_EQ(::pread(device->fd(), text, 5, 8192), 5);
    EXPECT_STREQ(text, "hello");
    EXPECT_TRUE(attached(file));
    EXPECT_EQ(open_existing_loop(device->path())->path(), device->path());
  }
  EXPECT_TRUE(wait_until([&] { return !attached(file); }));
}

TEST_F(LoopTest, ReadOnlyRefusesWriters) {
  const FileDescriptor file = make_image("image");
  const auto device = loops_.attach(
      make_op(), {.backing_fd = file.get(), .backing_path = dir_ / "image", .access = LoopAccess::read_only});
  ASSERT_TRUE(device);
  int read_only = 0;
  ASSERT_EQ(::ioctl(device->fd(), BLKROGET, &read_only), 0);
  EXPECT_EQ(read_only, 1);
}

// The guard of the loop backend stands on this behaviour of the kernel.
TEST_F(LoopTest, LockLivesAsLongAsTheDevice) {
  FileDescriptor file = make_image("image");
  ASSERT_TRUE(*try_lock(file));
  std::optional<LoopDevice> device = std::move(*attach(file, "image"));
  file.reset();
  EXPECT_FALSE(lockable("image"));
  // Even a user who knows nothing of the lock keeps it.
  FileDescriptor user = *open_file(device->path(), O_RDONLY);
  device.reset();
  EXPECT_FALSE(lockable("image"));
  user.reset();
  EXPECT_TRUE(wait_until([&] { return lockable("image"); }));
}

TEST_F(LoopTest, LockOutlivesTheProcessThatAttached) {
  make_image("image");
  int path_pipe[2];
  ASSERT_EQ(::pipe2(path_pipe, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const FileDescriptor file = *open_file(dir_ / "image", O_RDWR);
    const auto device =
        *try_lock(file) ? attach(file, "image") : Result<LoopDevice>(make_error(Code::busy, ""));
    if (device) (void)!::write(path_pipe[1], device->path().data(), device->path().size());
    for (;;) ::pause();
  }
  char path[64] = {};
  ASSERT_GT(::read(path_pipe[0], path, sizeof path - 1), 0);
  ::close(path_pipe[0]);
  ::close(path_pipe[1]);
  FileDescriptor user = *open_file(path, O_RDONLY);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(lockable("image"));
  user.reset();
  EXPECT_TRUE(wait_until([&] { return lockable("image"); }));
}

TEST_F(LoopTest, FoundByInodeNotByName) {
  const FileDescriptor file = make_image("image");
  const FileDescriptor other = make_image("other");
  const auto device = attach(file, "image");
  ASSERT_TRUE(device);
  ASSERT_EQ(::rename((dir_ / "image").c_str(), (dir_ / "renamed").c_str()), 0);
  EXPECT_TRUE(attached(file));
  EXPECT_FALSE(attached(other));
}

TEST_F(LoopTest, ManyThreadsGetDifferentDevices) {
  std::vector<FileDescriptor> files;
  for (int i = 0; i < 24; ++i) files.push_back(make_image(std::to_string(i)));
  std::vector<std::optional<Result<LoopDevice>>> devices(files.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < files.size(); ++i)
      // A control of its own for each: as bad as different processes.
      threads.emplace_back([&, i] {
        LoopControl own;
        devices[i] = own.attach(make_op(), {.backing_fd = files[i].get(), .backing_path = "x"});
      });
  }
  std::set<std::string> paths;
  for (const auto& device : devices) {
    ASSERT_TRUE(*device) << device->error().message;
    paths.insert((*device)->path());
  }
  EXPECT_EQ(paths.size(), files.size());
}

TEST_F(LoopTest, ErrorsLeaveNothingBehind) {
  const FileDescriptor file = make_image("image");
  EXPECT_EQ(loops_.attach(make_op(Millis(0)), {.backing_fd = file.get(), .backing_path = "x"}).error().code,
            Code::deadline_exceeded);
  const FileDescriptor pipe_like = *open_file("/dev/null", O_RDWR);
  EXPECT_FALSE(loops_.attach(make_op(), {.backing_fd = pipe_like.get(), .backing_path = "x"}));
  EXPECT_FALSE(attached(file));
  EXPECT_EQ(open_existing_loop("/dev/loop-none").error().code, Code::not_found);
}

}  // namespace
}  // namespace volplugin::os
