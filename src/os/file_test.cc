// SPDX-License-Identifier: Apache-2.0
#include "os/file.h"

#include "os/host.h"
#include "os/scratch.h"
#include "os/systemd.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace volplugin::os {
namespace {

TEST(File, WritesWholeAndReadsBack) {
  const ScratchDir dir;
  const std::string path = dir / "file";
  const mode_t mask = ::umask(0077);
  for (const Durability durability : {Durability::none, Durability::synced}) {
    ASSERT_TRUE(write_file_atomically(path, "one", 0644, durability));
    EXPECT_EQ(*read_file(path), "one");
    ASSERT_TRUE(write_file_atomically(path, "", 0640, durability));
    EXPECT_EQ(*read_file(path), "");
  }
  ::umask(mask);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST(File, LeftOverTemporaryFileIsOverwritten) {
  const ScratchDir dir;
  ASSERT_TRUE(write_file_atomically(dir / "file.tmp", std::string(100, 'x'), 0600, Durability::none));
  ASSERT_TRUE(write_file_atomically(dir / "file", "new", 0600, Durability::none));
  EXPECT_EQ(*read_file(dir / "file"), "new");
}

TEST(File, FailedWriteKeepsTheOldContent) {
  const ScratchDir dir;
  ASSERT_TRUE(std::filesystem::create_directories(dir / "file/occupied"));
  const auto written = write_file_atomically(dir / "file", "new", 0600, Durability::none);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().effect, Effect::none);
  EXPECT_TRUE(std::filesystem::is_directory(dir / "file"));
  EXPECT_FALSE(std::filesystem::exists(dir / "file.tmp"));
}

TEST(File, ReadingSaysWhatIsWrong) {
  const ScratchDir dir;
  EXPECT_EQ(read_file(dir / "none").error().code, Code::not_found);
  ASSERT_TRUE(write_file_atomically(dir / "big", std::string(100, 'x'), 0600, Durability::none));
  EXPECT_EQ(read_file(dir / "big", Bytes{99}).error().code, Code::corrupt);
  EXPECT_TRUE(read_file(dir / "big", Bytes{100}));
}

TEST(File, LockBelongsToTheOpenDescription) {
  const ScratchDir dir;
  FileDescriptor first = *open_file(dir / "lock", O_RDWR | O_CREAT, 0600);
  const FileDescriptor second = *open_file(dir / "lock", O_RDWR);
  EXPECT_TRUE(*try_lock(first));
  EXPECT_TRUE(*try_lock(first));
  EXPECT_FALSE(*try_lock(second));
  const Op brief(system_clock(), Millis(50), "test", "test");
  EXPECT_EQ(lock(brief, second, "the lock").error().code, Code::deadline_exceeded);
  FileDescriptor copy(::dup(first.get()));
  first.reset();
  EXPECT_FALSE(*try_lock(second));
  std::jthread releaser([&copy] { copy.reset(); });
  EXPECT_TRUE(lock(Op(system_clock(), Millis(10'000), "test", "test"), second, "the lock"));
}

TEST(File, DescriptorMovesAndCloses) {
  FileDescriptor file = *open_file("/", O_RDONLY);
  const int number = file.get();
  FileDescriptor other = std::move(file);
  EXPECT_EQ(other.get(), number);
  EXPECT_GE(::fcntl(number, F_GETFD), 0);
  other = FileDescriptor();
  EXPECT_LT(::fcntl(number, F_GETFD), 0);
}

TEST(Host, KnowsItself) {
  EXPECT_EQ(boot_id()->size(), 36u);
  EXPECT_EQ(*boot_id(), *boot_id());
  EXPECT_FALSE(host_name()->empty());
}

TEST(Systemd, WithoutItNothingIsPassed) {
  ::unsetenv("LISTEN_FDS");
  EXPECT_TRUE(take_passed_sockets()->empty());
  notify_ready("testing");
  notify_stopping("testing");
}

}  // namespace
}  // namespace volplugin::os
