// SPDX-License-Identifier: Apache-2.0
#include "os/device_mapper.h"

#include "os/scratch.h"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace volplugin::os {
namespace {

class MappedDevices : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "device nodes need root";
    std::filesystem::create_directories(trees_.dev + "/mapper");
  }
  void kernel_has(unsigned minor, const std::string& name, const std::string& uuid) {
    const std::string dm = fmt::format("{}/dev/block/253:{}/dm", trees_.sys, minor);
    std::filesystem::create_directories(dm);
    CHECK(write_file_atomically(dm + "/name", name + "\n", 0644, Durability::none));
    CHECK(write_file_atomically(dm + "/uuid", uuid + "\n", 0644, Durability::none));
  }
  void make_node(unsigned minor, const std::string& name) {
    CHECK(::mknod((trees_.dev + "/mapper/" + name).c_str(), S_IFBLK | 0600, makedev(253, minor)) == 0);
  }

  ScratchDir dir_;
  DeviceTrees trees_{dir_ / "dev", dir_ / "sys"};
};

TEST_F(MappedDevices, AreFoundByNodeAndKernel) {
  kernel_has(7, "vg-a", "LVM-abc");
  make_node(7, "vg-a");
  const auto found = find_mapped_device("vg-a", trees_);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->path, trees_.dev + "/mapper/vg-a");
  EXPECT_EQ((*found)->number, (DeviceNumber{253, 7}));
  EXPECT_EQ((*found)->uuid, "LVM-abc");
}

TEST_F(MappedDevices, AStaleNodeIsNone) {
  make_node(7, "vg-gone");
  EXPECT_FALSE(*find_mapped_device("vg-gone", trees_)) << "the kernel has no such device";
  kernel_has(8, "vg-other", "LVM-x");
  make_node(8, "vg-renamed");
  EXPECT_FALSE(*find_mapped_device("vg-renamed", trees_)) << "the kernel calls it otherwise";
  EXPECT_FALSE(*find_mapped_device("vg-nothing", trees_));
  CHECK(write_file_atomically(trees_.dev + "/mapper/vg-file", "", 0600, Durability::none));
  EXPECT_FALSE(*find_mapped_device("vg-file", trees_)) << "no device at all";
}

TEST_F(MappedDevices, ANodeThatComesLateIsWaitedFor) {
  kernel_has(7, "vg-late", "LVM-late");
  std::jthread udev([&] {
    std::this_thread::sleep_for(Millis(100));
    make_node(7, "vg-late");
  });
  const Op op(system_clock(), Millis(20'000), "test", "test");
  const auto device = await_mapped_device(op, "vg-late", Millis(10'000), trees_);
  ASSERT_TRUE(device) << device.error().message;
  EXPECT_EQ(device->uuid, "LVM-late");
}

TEST_F(MappedDevices, WaitingEndsWithThePatienceOrTheOp) {
  const Op op(system_clock(), Millis(20'000), "test", "test");
  const auto never = await_mapped_device(op, "vg-never", Millis(20), trees_);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, Code::unavailable);
  const Op soon(system_clock(), Millis(20), "test", "test");
  EXPECT_EQ(await_mapped_device(soon, "vg-never", Millis(10'000), trees_).error().code,
            Code::deadline_exceeded);
}

}  // namespace
}  // namespace volplugin::os
