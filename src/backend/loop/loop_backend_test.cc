// SPDX-License-Identifier: Apache-2.0
// What only the loop backend has; the contract is tested in tests/contract.
#include "backend/loop/loop_backend.h"

#include "os/block_device.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/scratch.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

Op make_op(Millis timeout = Millis(30'000)) {
  return Op(system_clock(), timeout, "test", "test");
}

template <class T>
Code code_of(const Result<T>& result) {
  EXPECT_FALSE(result) << "succeeded";
  return result ? Code::internal : result.error().code;
}

class LoopBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: loop devices need root";
    mounts_ = std::make_unique<os::PrivateMounts>();
    dir_ = std::make_unique<os::ScratchDir>();
    open_backend({});
  }
  void TearDown() override {
    backend_.reset();
    if (disk_) (void)os::unmount(disk());
    disk_.reset();
    dir_.reset();
    mounts_.reset();
  }

  void open_backend(std::map<std::string, LoopPool> pools) {
    open_backend_at(*dir_ / "pools", std::move(pools));
  }
  void open_backend_at(const std::string& pools_dir, std::map<std::string, LoopPool> pools) {
    auto opened = LoopBackend::open({.pools_dir = pools_dir, .pools = std::move(pools)});
    ASSERT_TRUE(opened) << opened.error().message;
    backend_ = std::move(*opened);
  }

  // A file system of 64 MiB of its own, mounted on disk().
  void make_disk() {
    const os::FileDescriptor file = *os::open_file(*dir_ / "disk.img", O_RDWR | O_CREAT, 0600);
    ASSERT_EQ(::ftruncate(file.get(), 64 << 20), 0);
    disk_.emplace(*loops_.attach(make_op(), {.backing_fd = file.get(), .backing_path = "disk.img"}));
    const std::string device = disk_->path();
    ASSERT_TRUE(os::run(make_op(), {.argv = {"mkfs.ext4", "-q", "-m", "0", device}})->succeeded());
    ASSERT_TRUE(os::ensure_directory(disk(), 0700));
    ASSERT_TRUE(os::mount_filesystem(make_op(), device, disk(), "ext4", ""));
  }
  std::string disk() const { return *dir_ / "disk"; }
  std::string file_of(const std::string& image) const { return *dir_ / "pools/pool/" + image; }
  ImageKey key(const std::string& image = "t.v", const std::string& pool = "pool") const {
    return {pool, image, "uid"};
  }
  Bytes available(const std::string& pool) { return backend_->inspect_pool(make_op(), pool)->available; }

  std::unique_ptr<os::PrivateMounts> mounts_;
  std::unique_ptr<os::ScratchDir> dir_;
  os::LoopControl loops_;
  std::optional<os::LoopDevice> disk_;
  std::unique_ptr<LoopBackend> backend_;
};

TEST_F(LoopBackendTest, ImagesAreSparsePrivateFilesInThePool) {
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(100)));
  struct stat status{};
  ASSERT_EQ(::stat(file_of("t.v").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(status.st_size, 100 << 20);
  EXPECT_LT(status.st_blocks, 100);
  ASSERT_EQ(::stat((*dir_ / "pools/pool").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(LoopBackendTest, PoolsOnOneFileSystemShareItsSpace) {
  make_disk();
  ASSERT_TRUE(os::ensure_directory(disk() + "/elsewhere", 0700));
  ASSERT_TRUE(os::ensure_directory(disk() + "/thin", 0700));
  open_backend_at(disk() + "/pools",
                  {{"placed", {.directory = disk() + "/elsewhere"}},
                   {"thin", {.directory = disk() + "/thin", .overcommit = Overcommit::yes}}});
  const Bytes before = available("pool");
  EXPECT_LT(before, Bytes::mib(64));
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(30)));
  EXPECT_LE(available("placed"), Bytes{before.count - Bytes::mib(30).count});
  EXPECT_EQ(code_of(backend_->ensure(make_op(), key("t.v", "placed"), Bytes::mib(40))),
            Code::resource_exhausted);
  ASSERT_TRUE(backend_->ensure(make_op(), key("t.v", "thin"), Bytes::gib(1)));
  EXPECT_TRUE(backend_->ensure(make_op(), key("t.v", "placed"), Bytes::mib(10)));
  EXPECT_TRUE(std::filesystem::exists(disk() + "/elsewhere/t.v"));
}

TEST_F(LoopBackendTest, WritingIntoAnImageTakesNoPromisedSpace) {
  make_disk();
  open_backend_at(disk() + "/pools", {});
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(20)));
  const Bytes before = available("pool");
  {
    const os::FileDescriptor image = *os::open_file(disk() + "/pools/pool/t.v", O_RDWR);
    const std::string data(16 << 20, 'x');
    ASSERT_EQ(::pwrite(image.get(), data.data(), data.size(), 0), ssize_t(data.size()));
    ASSERT_EQ(::fsync(image.get()), 0);
  }
  const Bytes after = available("pool");
  EXPECT_GE((*backend_->inspect(make_op(), key()))->used, Bytes::mib(16));
  EXPECT_LT(before.count - std::min(before.count, after.count), Bytes::mib(1).count);
}

TEST_F(LoopBackendTest, ConcurrentEnsureNeverPromisesTooMuch) {
  make_disk();
  open_backend_at(disk() + "/pools", {});
  const Bytes before = available("pool");
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&, i] {
        const auto image = backend_->ensure(make_op(), key(std::to_string(i)), Bytes::mib(10));
        if (image) ++made;
        if (!image) {
          EXPECT_EQ(image.error().code, Code::resource_exhausted) << image.error().message;
        }
      });
  }
  EXPECT_EQ(std::uint64_t(made), before.count / Bytes::mib(10).count);
}

TEST_F(LoopBackendTest, MissingConfiguredPlaceIsNotAnEmptyPool) {
  open_backend({{"pool", {.directory = *dir_ / "unmounted"}}});
  EXPECT_EQ(code_of(backend_->ensure(make_op(), key(), Bytes::mib(1))), Code::not_found);
  EXPECT_EQ(code_of(backend_->remove(make_op(), key())), Code::not_found);
  EXPECT_EQ(code_of(backend_->inspect(make_op(), key())), Code::not_found);
  EXPECT_EQ(code_of(backend_->list(make_op(), "pool")), Code::not_found);
  EXPECT_EQ(code_of(backend_->attach(make_op(), key())), Code::not_found);
  EXPECT_EQ(code_of(backend_->inspect_pool(make_op(), "pool")), Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(*dir_ / "unmounted"));
}

TEST_F(LoopBackendTest, SharedPoolIsNeverMadeOnThisHostsDisk) {
  const std::string place = *dir_ / "nfs";
  backend_ = *LoopBackend::open({.pools_dir = place, .pools = {}, .scope = Scope::cluster});
  const auto refused = backend_->ensure(make_op(), key(), Bytes::mib(1));
  EXPECT_EQ(code_of(refused), Code::not_found);
  EXPECT_NE(refused.error().message.find(place + "/pool"), std::string::npos);
  // A removal that succeeded now would leave the image behind.
  EXPECT_EQ(code_of(backend_->remove(make_op(), key())), Code::not_found);
  EXPECT_EQ(code_of(backend_->attach(make_op(), key())), Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(place));
  ASSERT_TRUE(os::ensure_directory(place + "/pool", 0700));
  EXPECT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(1)));
}

TEST_F(LoopBackendTest, ImageLockedOnAnotherHostIsBusy) {
  backend_ = *LoopBackend::open({.pools_dir = *dir_ / "pools", .pools = {}, .scope = Scope::cluster});
  ASSERT_TRUE(os::ensure_directory(*dir_ / "pools/pool", 0700));
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(4)));
  // All that is seen here of a loop device over there.
  const os::FileDescriptor image = *os::open_file(file_of("t.v"), O_RDWR);
  ASSERT_TRUE(*os::try_lock(image));
  for (const Error& error :
       {backend_->attach(make_op(), key()).error(), backend_->remove(make_op(), key()).error()}) {
    EXPECT_EQ(error.code, Code::busy);
    EXPECT_EQ(error.effect, Effect::none);
    EXPECT_NE(error.message.find("attached on another host"), std::string::npos) << error.message;
  }
  EXPECT_TRUE(std::filesystem::exists(file_of("t.v")));
}

TEST_F(LoopBackendTest, FileSystemWithoutExtendedAttributesIsRefused) {
  ASSERT_TRUE(os::ensure_directory(disk(), 0700));
  ASSERT_TRUE(os::mount_filesystem(make_op(), "none", disk(), "ramfs", ""));
  open_backend({{"pool", {.directory = disk(), .overcommit = Overcommit::yes}}});
  const auto made = backend_->ensure(make_op(), key(), Bytes::mib(1));
  EXPECT_EQ(code_of(made), Code::unsupported);
  EXPECT_NE(made.error().message.find(disk()), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(disk()));
  EXPECT_TRUE(os::unmount(disk()));
}

TEST_F(LoopBackendTest, ConfigurationIsChecked) {
  EXPECT_EQ(code_of(LoopBackend::open({.pools_dir = *dir_ / "p", .pools = {{"a/b", {}}}})),
            Code::invalid_argument);
  EXPECT_EQ(code_of(LoopBackend::open({.pools_dir = *dir_ / "p",
                                       .pools = {{"a", {.directory = "/x"}}, {"b", {.directory = "/x"}}}})),
            Code::invalid_argument);
}

TEST_F(LoopBackendTest, LinksAndDirectoriesAreForeign) {
  ASSERT_TRUE(os::ensure_directory(file_of("a.directory"), 0700));
  ASSERT_TRUE(os::write_file_atomically(*dir_ / "target", "data", 0600, os::Durability::none));
  ASSERT_EQ(::symlink((*dir_ / "target").c_str(), file_of("a.link").c_str()), 0);
  for (const char* name : {"a.directory", "a.link"}) {
    EXPECT_EQ(code_of(backend_->ensure(make_op(), key(name), Bytes::mib(1))), Code::already_exists);
    EXPECT_EQ(code_of(backend_->remove(make_op(), key(name))), Code::permission_denied);
    EXPECT_EQ(code_of(backend_->attach(make_op(), key(name))), Code::permission_denied);
  }
  EXPECT_TRUE(backend_->list(make_op(), "pool")->empty());
  EXPECT_EQ(*os::read_file(*dir_ / "target"), "data");
}

TEST_F(LoopBackendTest, ImageAttachedByAStrangerIsLeftAlone) {
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(4)));
  const os::FileDescriptor image = *os::open_file(file_of("t.v"), O_RDWR);
  // As losetup does: without our lock.
  const auto stranger = loops_.attach(make_op(), {.backing_fd = image.get(), .backing_path = "t.v"});
  ASSERT_TRUE(stranger);
  const auto attached = backend_->attach(make_op(), key());
  EXPECT_EQ(code_of(attached), Code::busy);
  EXPECT_NE(attached.error().message.find(stranger->path()), std::string::npos);
  EXPECT_EQ(code_of(backend_->remove(make_op(), key())), Code::busy);
  EXPECT_TRUE(std::filesystem::exists(file_of("t.v")));
}

TEST_F(LoopBackendTest, LockWithoutDeviceIsWaitedFor) {
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(4)));
  os::FileDescriptor image = *os::open_file(file_of("t.v"), O_RDWR);
  ASSERT_TRUE(*os::try_lock(image));
  EXPECT_EQ(code_of(backend_->attach(make_op(Millis(50)), key())), Code::deadline_exceeded);
  EXPECT_EQ(code_of(backend_->remove(make_op(Millis(50)), key())), Code::deadline_exceeded);
  std::jthread releaser([&image] { image.reset(); });
  const auto attached = backend_->attach(make_op(), key());
  EXPECT_TRUE(attached) << attached.error().message;
}

TEST_F(LoopBackendTest, DetachWaitsForPassingOpeners) {
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(4)));
  auto attachment = *backend_->attach(make_op(), key());
  os::FileDescriptor passing = *os::open_file(attachment->device(), O_RDONLY);
  const auto early = backend_->detach(make_op(Millis(50)), key(), std::move(attachment));
  EXPECT_EQ(code_of(early), Code::deadline_exceeded);
  EXPECT_EQ(early.error().effect, Effect::unknown);
  std::jthread closer([&passing] { passing.reset(); });
  EXPECT_TRUE(backend_->detach(make_op(), key(), nullptr));
  EXPECT_TRUE(backend_->remove(make_op(), key()));
}

TEST_F(LoopBackendTest, DeviceHasLargeSectorsAndDirectIo) {
  ASSERT_TRUE(backend_->ensure(make_op(), key(), Bytes::mib(4)));
  const auto attachment = *backend_->attach(make_op(), key());
  const auto device = os::open_existing_loop(attachment->device());
  ASSERT_TRUE(device);
  EXPECT_TRUE(device->direct_io());
  const std::string name = attachment->device().substr(5);
  EXPECT_EQ(*os::read_file("/sys/block/" + name + "/queue/logical_block_size"), "4096\n");
}

}  // namespace
}  // namespace volplugin::backend
