// SPDX-License-Identifier: Apache-2.0
// Real loop devices and real mounts, in a mount namespace of the test's own.
#include "os/mount.h"

#include "os/block_device.h"
#include "os/loop_device.h"
#include "os/mount_table.h"
#include "os/process.h"
#include "os/scratch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace volplugin::os {
namespace {

Op make_op(Millis timeout = Millis(20'000)) {
  return Op(system_clock(), timeout, "test", "test");
}

// A child in its own mount namespace (a copy of ours) that stays until the object ends.
class ForeignNamespace {
 public:
  ForeignNamespace() {
    int ready[2];
    CHECK(::pipe2(ready, O_CLOEXEC) == 0);
    pid_ = ::fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const bool made = ::unshare(CLONE_NEWNS) == 0;
      (void)!::write(ready[1], "x", made ? 1 : 0);
      ::close(ready[1]);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    CHECK(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
  }
  ForeignNamespace(const ForeignNamespace&) = delete;
  ForeignNamespace& operator=(const ForeignNamespace&) = delete;
  ~ForeignNamespace() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

class MountTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: mounting needs root";
    mounts_ = std::make_unique<PrivateMounts>();
    dir_ = std::make_unique<ScratchDir>();
    ASSERT_TRUE(ensure_directory(mount_point(), 0755));
  }

  void TearDown() override {
    if (dir_) (void)unmount(mount_point());
    device_.reset();
    dir_.reset();
    mounts_.reset();
  }

  std::string mount_point() const { return *dir_ / "mnt"; }
  std::string image() const { return *dir_ / "image"; }

  FileDescriptor make_image(Bytes size) {
    FileDescriptor file = *open_file(image(), O_RDWR | O_CREAT, 0600);
    CHECK(::ftruncate(file.get(), off_t(size.count)) == 0);
    return file;
  }

  // A new loop device on a new, blank image.
  const std::string& make_device(Bytes size = Bytes::mib(16)) {
    const FileDescriptor file = make_image(size);
    device_.emplace(*loops_.attach(make_op(), {.backing_fd = file.get(), .backing_path = image()}));
    return device_->path();
  }

  const std::string& make_ext4() {
    const std::string& device = make_device();
    const auto made = run(make_op(), {.argv = {"mkfs.ext4", "-q", device}, .package = "e2fsprogs"});
    CHECK(made && made->succeeded());
    return device;
  }

  LoopControl loops_;
  std::unique_ptr<PrivateMounts> mounts_;
  std::unique_ptr<ScratchDir> dir_;
  std::optional<LoopDevice> device_;
};

TEST_F(MountTest, MountsWithOptionsAndUnmounts) {
  const std::string device = make_ext4();
  ASSERT_TRUE(
      mount_filesystem(make_op(), device, mount_point(), "ext4", "defaults,nosuid,noatime,data=ordered"));
  const auto entry = *find_mount(mount_point());
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->device, *device_number(device));
  EXPECT_EQ(entry->source, device);
  EXPECT_EQ(entry->fstype, "ext4");
  EXPECT_EQ(entry->root, "/");
  EXPECT_NE(entry->options.find("nosuid"), std::string::npos);
  EXPECT_NE(entry->options.find("noatime"), std::string::npos);
  EXPECT_TRUE(*in_use(device));
  EXPECT_TRUE(unmount(mount_point()));
  EXPECT_TRUE(unmount(mount_point()));
  EXPECT_FALSE(*find_mount(mount_point()));
  EXPECT_FALSE(*in_use(device));
}

TEST_F(MountTest, MountErrorsSayTheCause) {
  const std::string device = make_ext4();
  const auto failure = [&](const std::string& fstype, const std::string& options) {
    const auto mounted = mount_filesystem(make_op(), device, mount_point(), fstype, options);
    return mounted ? make_error(Code::internal, "mounted") : mounted.error();
  };
  EXPECT_EQ(failure("nosuchfs", "").code, Code::unsupported);
  EXPECT_NE(failure("nosuchfs", "").message.find("kernel does not support file system 'nosuchfs'"),
            std::string::npos);
  EXPECT_EQ(failure("xfs", "").code, Code::unsupported);
  EXPECT_EQ(failure("ext4", "nosuchoption").code, Code::unsupported);
  for (const char* options : {"bind", "remount", "rbind", "shared", "noauto", "loop", "a=\"b", "ro,a=\"b"})
    EXPECT_EQ(failure("ext4", options).code, Code::invalid_argument) << options;
  EXPECT_EQ(mount_filesystem(make_op(Millis(0)), device, mount_point(), "ext4", "").error().code,
            Code::deadline_exceeded);
  EXPECT_EQ(mount_filesystem(make_op(), device, *dir_ / "none", "ext4", "").error().code, Code::not_found);
  const FileDescriptor claim(::open(device.c_str(), O_RDONLY | O_EXCL));
  EXPECT_EQ(failure("ext4", "").code, Code::busy);
  EXPECT_FALSE(*find_mount(mount_point()));
}

TEST_F(MountTest, UnmountOfABusyMountSaysBusy) {
  ASSERT_TRUE(mount_filesystem(make_op(), make_ext4(), mount_point(), "ext4", ""));
  {
    const FileDescriptor user = *open_file(mount_point(), O_RDONLY);
    EXPECT_EQ(unmount(mount_point()).error().code, Code::busy);
    EXPECT_EQ(*expire(mount_point()), ExpireOutcome::in_use);
    EXPECT_EQ(remove_directory(mount_point()).error().code, Code::busy);
  }
  EXPECT_TRUE(unmount(mount_point()));
}

TEST_F(MountTest, UnmountFollowsNoLink) {
  ASSERT_TRUE(mount_filesystem(make_op(), make_ext4(), mount_point(), "ext4", ""));
  ASSERT_EQ(::symlink(mount_point().c_str(), (*dir_ / "link").c_str()), 0);
  EXPECT_TRUE(unmount(*dir_ / "link"));
  EXPECT_TRUE(*find_mount(mount_point()));
}

TEST_F(MountTest, ExpireUnmountsOnlyWhatStaysUnused) {
  EXPECT_EQ(*expire(mount_point()), ExpireOutcome::not_mounted);
  EXPECT_EQ(*expire(*dir_ / "none"), ExpireOutcome::not_mounted);
  ASSERT_TRUE(mount_filesystem(make_op(), make_ext4(), mount_point(), "ext4", ""));
  EXPECT_EQ(*expire(mount_point()), ExpireOutcome::marked);
  {
    EXPECT_TRUE(open_file(mount_point(), O_RDONLY));
  }  // a use clears the mark
  EXPECT_EQ(*expire(mount_point()), ExpireOutcome::marked);
  EXPECT_EQ(*expire(mount_point()), ExpireOutcome::unmounted);
  EXPECT_EQ(*expire(mount_point()), ExpireOutcome::not_mounted);
}

TEST_F(MountTest, FindsTheTopmostOfAStack) {
  ASSERT_TRUE(mount_filesystem(make_op(), "lower", mount_point(), "tmpfs", "size=1m"));
  ASSERT_TRUE(mount_filesystem(make_op(), "upper", mount_point(), "tmpfs", "size=1m"));
  EXPECT_EQ((*find_mount(mount_point()))->source, "upper");
  ASSERT_TRUE(unmount(mount_point()));
  EXPECT_EQ((*find_mount(mount_point()))->source, "lower");
}

TEST_F(MountTest, TableDecodesStrangeNames) {
  const std::string strange = *dir_ / "a b\n\\c";
  ASSERT_TRUE(ensure_directory(strange, 0755));
  ASSERT_TRUE(mount_filesystem(make_op(), "none", strange, "tmpfs", ""));
  EXPECT_TRUE(*find_mount(strange));
  EXPECT_TRUE(unmount(strange));
}

TEST_F(MountTest, OtherNamespacesAreSeen) {
  const std::string device = make_ext4();
  const DeviceNumber number = *device_number(device);
  ASSERT_TRUE(mount_filesystem(make_op(), device, mount_point(), "ext4", ""));
  EXPECT_FALSE(*used_in_other_namespaces(number));
  const MountEntry entry = **find_mount(mount_point());
  EXPECT_TRUE(*visible_to(::getpid(), entry));
  {
    const ForeignNamespace foreign;
    EXPECT_TRUE(*used_in_other_namespaces(number));
    EXPECT_TRUE(*visible_to(foreign.pid(), entry));
    ASSERT_TRUE(unmount(mount_point()));
    EXPECT_TRUE(*in_use(device));
    EXPECT_TRUE(*used_in_other_namespaces(number));
  }
  EXPECT_TRUE(wait_until([&] { return !*in_use(device); }));
  EXPECT_FALSE(*used_in_other_namespaces(number));
  const ForeignNamespace early;  // made before the next mount: private propagation hides it
  ASSERT_TRUE(mount_filesystem(make_op(), device, mount_point(), "ext4", ""));
  EXPECT_FALSE(*visible_to(early.pid(), **find_mount(mount_point())));
}

TEST_F(MountTest, VisibilityOfUnknownPeersIsAnError) {
  const MountEntry entry;
  EXPECT_EQ(visible_to(0, entry).error().code, Code::unsupported);
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ::waitpid(gone, nullptr, 0);
  EXPECT_EQ(visible_to(gone, entry).error().code, Code::not_found);
}

TEST_F(MountTest, DirectoriesAreEnsuredAndRemoved) {
  const std::string path = *dir_ / "a/b/c";
  EXPECT_TRUE(ensure_directory(path, 0700));
  EXPECT_TRUE(ensure_directory(path, 0755));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_TRUE(fsync_directory(path));
  EXPECT_EQ(remove_directory(*dir_ / "a").error().code, Code::conflict);
  EXPECT_TRUE(remove_directory(path));
  EXPECT_TRUE(remove_directory(path));
  EXPECT_TRUE(write_file_atomically(*dir_ / "file", "", 0600, Durability::none));
  EXPECT_EQ(ensure_directory(*dir_ / "file", 0700).error().code, Code::conflict);
}

TEST_F(MountTest, ProbeTellsBlankFromEverythingElse) {
  const std::string device = make_device();
  EXPECT_EQ(*device_size(device), Bytes::mib(16));
  EXPECT_TRUE(probe(device)->blank);
  EXPECT_TRUE(probe(image())->blank);
  EXPECT_EQ(*new_filesystem_type(device), "");
  {
    const FileDescriptor file = *open_file(image(), O_RDWR);
    ASSERT_EQ(::pwrite(file.get(), "data", 4, 100'000), 4);
  }
  const Probe unknown = *probe(image());
  EXPECT_FALSE(unknown.blank);
  EXPECT_EQ(unknown.type, "");
  ASSERT_TRUE(run(make_op(), {.argv = {"mkfs.ext4", "-q", "-F", device}}));
  EXPECT_TRUE(flush(device));
  const Probe ext4 = *probe(device);
  EXPECT_EQ(ext4.type, "ext4");
  EXPECT_EQ(ext4.usage, "filesystem");
  EXPECT_EQ(ext4.uuid.size(), 36u);
  EXPECT_FALSE(ext4.blank);
  EXPECT_EQ(*new_filesystem_type(device), "ext4");
}

TEST_F(MountTest, ProbeOfTheEndsIsThatOfTheWhole) {
  const FileDescriptor file = make_image(Bytes::mib(16));
  const auto ends = [&] {
    std::string start(1 << 20, '\0'), end(1 << 19, '\0');
    EXPECT_EQ(::pread(file.get(), start.data(), start.size(), 0), ssize_t(start.size()));
    EXPECT_EQ(::pread(file.get(), end.data(), end.size(), (16 << 20) - (1 << 19)), ssize_t(end.size()));
    return probe_ends(start, end, Bytes::mib(16));
  };
  EXPECT_TRUE(ends()->blank);
  const std::string raid = "Promise Technology, Inc.";  // which some keep in sector 63 from the end
  ASSERT_EQ(::pwrite(file.get(), raid.data(), raid.size(), (16 << 20) - 63 * 512), ssize_t(raid.size()));
  EXPECT_EQ(ends()->usage, "raid");
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  ASSERT_EQ(::ftruncate(file.get(), 16 << 20), 0);
  ASSERT_TRUE(run(make_op(), {.argv = {"mkfs.ext4", "-q", "-F", image()}})->succeeded());
  const Probe whole = *probe(image()), part = *ends();
  EXPECT_EQ(part.type, "ext4");
  EXPECT_EQ(part.uuid, whole.uuid);
  EXPECT_EQ(part.usage, "filesystem");
  EXPECT_TRUE(probe_ends("", "", Bytes::mib(1))->blank);
}

TEST_F(MountTest, ProbeSeesPartitionTables) {
  const FileDescriptor file = make_image(Bytes::mib(16));
  // A DOS partition table with one Linux partition of 4 MiB at 1 MiB.
  const unsigned char partition[] = {0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 32, 0, 0};
  ASSERT_EQ(::pwrite(file.get(), partition, 16, 446), 16);
  ASSERT_EQ(::pwrite(file.get(), "\x55\xAA", 2, 510), 2);
  const Probe table = *probe(image());
  EXPECT_EQ(table.type, "dos");
  EXPECT_EQ(table.usage, "partitions");
  EXPECT_FALSE(table.blank);
  EXPECT_EQ(*new_filesystem_type(image()), "");
}

TEST_F(MountTest, ProbeRefusesTwoFileSystemsAtOnce) {
  const FileDescriptor file = make_image(Bytes::mib(320));
  ASSERT_TRUE(run(make_op(), {.argv = {"mkfs.ext4", "-q", "-b", "4096", image()}})->succeeded());
  char superblock[1024];
  ASSERT_EQ(::pread(file.get(), superblock, 1024, 1024), 1024);
  // With large sectors XFS leaves the place of the ext4 superblock alone.
  const auto made = run(make_op(), {.argv = {"mkfs.xfs", "-q", "-f", "-s", "size=4096", image()}});
  if (!made || !made->succeeded()) GTEST_SKIP() << "NOT RUN: needs mkfs.xfs";
  EXPECT_EQ(probe(image())->type, "xfs");
  EXPECT_EQ(*new_filesystem_type(image()), "xfs");
  ASSERT_EQ(::pwrite(file.get(), superblock, 1024, 1024), 1024);
  const auto both = probe(image());
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, Code::corrupt);
}

TEST_F(MountTest, QuestionsAboutNothingAreErrors) {
  EXPECT_EQ(device_size(*dir_ / "none").error().code, Code::not_found);
  EXPECT_EQ(in_use(*dir_ / "none").error().code, Code::not_found);
  EXPECT_EQ(probe(*dir_ / "none").error().code, Code::not_found);
  EXPECT_EQ(new_filesystem_type(*dir_ / "none").error().code, Code::not_found);
  EXPECT_EQ(device_number(dir_->path()).error().code, Code::invalid_argument);
  EXPECT_EQ(device_number(to_dev_t({259, 1'000'000})), (DeviceNumber{259, 1'000'000}));
  EXPECT_EQ(read_mount_table("/nonexistent").error().code, Code::unavailable);
}

}  // namespace
}  // namespace volplugin::os
