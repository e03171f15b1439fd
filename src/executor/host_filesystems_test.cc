// SPDX-License-Identifier: Apache-2.0
// Real file systems on real loop devices: what happens while one of them hangs.
#include "executor/host_filesystems.h"

#include "base/check.h"
#include "os/file.h"
#include "os/loop_device.h"
#include "os/scratch.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace volplugin::executor {
namespace {

Op make_op(Millis timeout = Millis(20'000)) {
  return Op(system_clock(), timeout, "test", "test");
}

// Changes of that file system wait, in the kernel, as they do when its storage does not answer.
class Frozen {
 public:
  explicit Frozen(const std::string& mount_point) : root_(*os::open_file(mount_point, O_RDONLY)) {
    CHECK(::ioctl(root_.get(), FIFREEZE, 0) == 0);
  }
  ~Frozen() { thaw(); }
  void thaw() {
    if (root_) CHECK(::ioctl(root_.get(), FITHAW, 0) == 0);
    root_.reset();
  }

 private:
  os::FileDescriptor root_;
};

class HostFilesystemsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: mounting needs root";
    mounts_.emplace();
    dir_.emplace();
  }
  void TearDown() override {
    if (!dir_) return;
    for (const auto& name : {"a", "b"}) EXPECT_TRUE(filesystems_.unmount(make_op(), where(name)));
  }

  std::string where(const std::string& name) const { return *dir_ / name; }
  // A new ext4, mounted.
  void mount(const std::string& name) {
    const std::string image = *dir_ / (name + ".img");
    const auto file = *os::open_file(image, O_RDWR | O_CREAT, 0600);
    CHECK(::ftruncate(file.get(), 16 << 20) == 0);
    devices_.push_back(*loops_.attach(make_op(), {.backing_fd = file.get(), .backing_path = image}));
    const std::string& device = devices_.back().path();
    EXPECT_EQ(filesystems_.is_blank(make_op(), device), true);
    EXPECT_EQ(filesystems_.make(make_op(), device, "mkfs.ext4 -q " + device), "ext4");
    EXPECT_TRUE(filesystems_.mount(make_op(), device, where(name), "ext4"));
  }

  os::LoopControl loops_;
  std::optional<os::PrivateMounts> mounts_;
  std::optional<os::ScratchDir> dir_;
  std::vector<os::LoopDevice> devices_;
  HostFilesystems filesystems_;
};

TEST_F(HostFilesystemsTest, OneThatHangsKeepsNobody) {
  mount("a");
  mount("b");
  const std::string directory = where("a") + "/data";
  Frozen frozen(where("a"));
  const auto late = filesystems_.ensure_directory(make_op(Millis(100)), directory);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::deadline_exceeded);
  EXPECT_EQ(late.error().effect, Effect::unknown);
  const auto next = filesystems_.ensure_directory(make_op(Millis(100)), directory);
  ASSERT_FALSE(next) << "what was begun goes on";
  EXPECT_EQ(next.error().effect, Effect::none);
  EXPECT_TRUE(filesystems_.ensure_directory(make_op(), where("b") + "/data"));
  EXPECT_FALSE(std::filesystem::exists(directory));
  frozen.thaw();
  EXPECT_TRUE(filesystems_.ensure_directory(make_op(), directory));
  EXPECT_TRUE(std::filesystem::is_directory(directory));
}

TEST_F(HostFilesystemsTest, NothingIsBegunForACallerThatIsGone) {
  mount("a");
  const Op gone = make_op(Millis(0));
  EXPECT_EQ(filesystems_.unmount(gone, where("a")).error().effect, Effect::none);
  EXPECT_EQ(filesystems_.expire(gone, where("a")).error().code, Code::deadline_exceeded);
  EXPECT_TRUE(*filesystems_.mounted(make_op(), where("a")));
  EXPECT_TRUE(filesystems_.unmount(make_op(), where("a")));
  EXPECT_TRUE(filesystems_.unmount(make_op(), where("a")));
  EXPECT_FALSE(std::filesystem::exists(where("a")));
  EXPECT_FALSE(*filesystems_.mounted(make_op(), where("a")));
}

}  // namespace
}  // namespace volplugin::executor
