// SPDX-License-Identifier: Apache-2.0
// What is LVM's alone, on real volume groups: foreign volumes, reserved names, full and partial groups,
// volumes changed behind our back, and how many programs each operation starts. Runs in the lab
// (tests/lab/test_lvm.py).
#include "backend/lvm/lvm_backend.h"
#include "os/block_device.h"
#include "os/file.h"
#include "os/process.h"
#include "os/scratch.h"
#include "tests/contract/lvm_environment.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

Op make_op(Millis timeout = Millis(60'000)) {
  return Op(system_clock(), timeout, "test", "test");
}

std::string run(std::vector<std::string> argv) {
  const auto said = os::run(make_op(), {.argv = argv, .package = "lvm2"});
  EXPECT_TRUE(said && said->succeeded())
      << fmt::format("{}", fmt::join(argv, " ")) << ": " << (said ? said->describe() : said.error().message);
  return said ? said->out : "";
}

// A loop device on a sparse file; gone at the end.
class Disk {
 public:
  explicit Disk(std::string file) : file_(std::move(file)) {
    run({"truncate", "-s", "400M", file_});
    device_ = run({"losetup", "--show", "-f", file_});
    device_.erase(device_.find_last_not_of('\n') + 1);
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  ~Disk() { unplug(); }
  const std::string& device() const { return device_; }
  void unplug() {
    if (!device_.empty()) run({"losetup", "-d", device_});
    device_.clear();
  }

 private:
  std::string file_, device_;
};

// There is nothing to vary, but where there is no device-mapper there are no tests.
class Lvm : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    first_ = std::make_unique<Disk>(dir_ / "first");
    run({"vgcreate", "-y", "vgt", first_->device()});
    restart();
  }
  void TearDown() override {
    backend_.reset();
    run({"vgremove", "-ff", "-y", "vgt"});
  }
  void restart() {
    backend_ = std::make_unique<LvmBackend>(LvmConfig{}, [this](const Op& op, const os::Command& command) {
      {
        const std::lock_guard lock(mutex_);
        started_.push_back(command.argv[0]);
      }
      return os::run(op, command);
    });
  }
  std::vector<std::string> started() {
    const std::lock_guard lock(mutex_);
    return std::exchange(started_, {});
  }
  static ImageKey key(const std::string& image = "t.v", const std::string& pool = "vgt") {
    return {pool, image, "uid-1"};
  }
  void make(const ImageKey& image, Bytes size = Bytes::mib(8)) {
    const auto made = backend_->ensure(make_op(), image, size);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->what, Ensured::created);
  }
  template <class T>
  static Code code_of(const Result<T>& result) {
    EXPECT_FALSE(result) << "succeeded";
    return result ? Code::internal : result.error().code;
  }

  os::ScratchDir dir_;
  std::unique_ptr<Disk> first_;
  std::unique_ptr<LvmBackend> backend_;
  std::mutex mutex_;
  std::vector<std::string> started_;
};

using Programs = std::vector<std::string>;

TEST_P(Lvm, StartsNoMoreProgramsThanItMust) {
  make(key());
  EXPECT_EQ(started(), Programs{"lvcreate"});
  auto attachment = *backend_->attach(make_op(), key());
  EXPECT_TRUE(backend_->inspect(make_op(), key())->has_value());
  EXPECT_TRUE(backend_->detach(make_op(), key(), std::move(attachment)));
  EXPECT_EQ(started(), Programs{});
  restart();
  EXPECT_TRUE(backend_->detach(make_op(), key(), *backend_->attach(make_op(), key())));
  EXPECT_EQ(started(), Programs{"lvs"}) << "whose it is has to be asked once";
  EXPECT_EQ(*backend_->remove(make_op(), key()), Removed::removed);
  EXPECT_EQ(started(), Programs{"lvremove"});
}

TEST_P(Lvm, OldFileSystemsDoNotShine) {
  make(key());
  run({"mkfs.ext4", "-q", "/dev/vgt/t.v"});
  ASSERT_TRUE(backend_->remove(make_op(), key()));
  // The same extents again.
  make(key("t.other"));
  EXPECT_TRUE(os::probe("/dev/vgt/t.other")->blank);
}

TEST_P(Lvm, ForeignVolumesStay) {
  run({"lvcreate", "-y", "-L", "8M", "-n", "t.foreign", "vgt"});
  run({"lvcreate", "-y", "--type", "thin-pool", "-L", "40M", "-n", "t.pool", "vgt"});
  run({"lvcreate", "-y", "-V", "20M", "--thinpool", "t.pool", "-n", "t.thin", "vgt"});
  run({"lvcreate", "-y", "-L", "8M", "-n", "t.theirs", "--addtag", "lvmvd.uid=uid-1", "vgt"});
  for (const std::string name : {"t.foreign", "t.pool", "t.thin", "t.theirs"}) {
    EXPECT_EQ(code_of(backend_->ensure(make_op(), key(name), Bytes::mib(8))), Code::already_exists) << name;
    EXPECT_EQ(code_of(backend_->remove(make_op(), key(name))), Code::permission_denied) << name;
    EXPECT_EQ(code_of(backend_->attach(make_op(), key(name))), Code::permission_denied) << name;
  }
  EXPECT_TRUE(backend_->list(make_op(), "vgt")->empty());
  EXPECT_NE(run({"lvs", "--noheadings", "-o", "lv_name", "vgt"}).find("t.thin"), std::string::npos);
}

TEST_P(Lvm, ReservedNamesWork) {
  for (const std::string name : {"snapshot.v", "t.my_tmeta", "pvmove.x", "t.a_rimage_1"}) {
    make(key(name));
    EXPECT_EQ((*backend_->inspect(make_op(), key(name)))->image, name);
    EXPECT_TRUE(backend_->attach(make_op(), key(name)));
  }
  std::vector<std::string> listed;
  const auto images = backend_->list(make_op(), "vgt");
  ASSERT_TRUE(images);
  for (const auto& image : *images) listed.push_back(image.image);
  std::ranges::sort(listed);
  EXPECT_EQ(listed, (Programs{"pvmove.x", "snapshot.v", "t.a_rimage_1", "t.my_tmeta"}));
  for (const auto& name : listed) EXPECT_EQ(*backend_->remove(make_op(), key(name)), Removed::removed);
}

TEST_P(Lvm, ADeactivatedVolumeIsActivated) {
  make(key());
  run({"lvchange", "-an", "vgt/t.v"});
  EXPECT_FALSE(*backend_->attached_here(make_op(), key()));
  started();
  const auto attachment = backend_->attach(make_op(), key());
  ASSERT_TRUE(attachment) << attachment.error().message;
  EXPECT_EQ((*attachment)->device(), "/dev/mapper/vgt-t.v");
  EXPECT_EQ(started(), (Programs{"lvs", "lvchange"}));
}

TEST_P(Lvm, WhatWasReplacedBehindOurBackIsNotTakenForOurs) {
  make(key());
  run({"lvremove", "-y", "vgt/t.v"});
  EXPECT_EQ(code_of(backend_->attach(make_op(), key())), Code::not_found);
  run({"lvcreate", "-y", "-L", "8M", "-n", "t.v", "vgt"});
  EXPECT_EQ(code_of(backend_->attach(make_op(), key())), Code::permission_denied);
  EXPECT_EQ(code_of(backend_->remove(make_op(), key())), Code::permission_denied);
}

TEST_P(Lvm, AVolumeThatSomeProcessHasOpenIsBusy) {
  make(key());
  const os::FileDescriptor holder = *os::open_file("/dev/vgt/t.v", O_RDWR);
  EXPECT_EQ(code_of(backend_->remove(make_op(), key())), Code::busy);
}

TEST_P(Lvm, AGroupThatIsNotThereIsNamed) {
  for (const std::string pool : {"nosuch", "vgt/nosuch", "nosuch/thin"}) {
    const auto refused = backend_->ensure(make_op(), key("t.v", pool), Bytes::mib(8));
    EXPECT_EQ(code_of(refused), Code::not_found) << pool;
    EXPECT_NE(refused.error().message.find("nosuch"), std::string::npos) << refused.error().message;
    EXPECT_EQ(code_of(backend_->inspect_pool(make_op(), pool)), Code::not_found) << pool;
  }
  // A missing disk must not look like a volume that is gone.
  EXPECT_EQ(code_of(backend_->remove(make_op(), key("t.v", "nosuch"))), Code::not_found);
}

TEST_P(Lvm, AFullThinPoolTakesNoNewVolumes) {
  run({"lvcreate", "-y", "--type", "thin-pool", "-L", "100M", "-n", "thin", "vgt"});
  make(key("t.v", "vgt/thin"), Bytes::mib(100));
  const auto before = backend_->inspect_pool(make_op(), "vgt/thin");
  ASSERT_TRUE(before);
  EXPECT_EQ(before->total, Bytes::mib(100));
  EXPECT_GT(before->available, Bytes::mib(80));
  run({"dd", "if=/dev/urandom", "of=/dev/vgt/t.v", "bs=1M", "count=92", "oflag=direct"});
  EXPECT_EQ(backend_->inspect_pool(make_op(), "vgt/thin")->available, Bytes{});
  const auto refused = backend_->ensure(make_op(), key("t.w", "vgt/thin"), Bytes::mib(8));
  EXPECT_EQ(code_of(refused), Code::resource_exhausted);
  EXPECT_NE(refused.error().message.find("too full"), std::string::npos);
  EXPECT_GT((*backend_->inspect(make_op(), key("t.v", "vgt/thin")))->used, Bytes::mib(80));
  EXPECT_TRUE(backend_->attach(make_op(), key("t.v", "vgt/thin"))) << "existing volumes work on";
}

TEST_P(Lvm, APartialGroupHarmsOnlyItself) {
  make(key());
  Disk one(dir_ / "one"), two(dir_ / "two");
  run({"vgcreate", "-y", "vgp", one.device(), two.device()});
  make(key("t.whole", "vgp"), Bytes::mib(360));  // fills the first disk
  make(key("t.partial", "vgp"), Bytes::mib(360));
  run({"vgchange", "-an", "vgp"});
  two.unplug();
  const auto attached = backend_->attach(make_op(), key("t.partial", "vgp"));
  EXPECT_EQ(code_of(attached), Code::unavailable);
  EXPECT_NE(attached.error().message.find("partial"), std::string::npos) << attached.error().message;
  EXPECT_EQ(code_of(backend_->ensure(make_op(), key("t.new", "vgp"), Bytes::mib(8))), Code::unavailable);
  EXPECT_TRUE(backend_->attach(make_op(), key("t.whole", "vgp")));
  EXPECT_EQ(backend_->list(make_op(), "vgp")->size(), 2u);
  EXPECT_TRUE(backend_->attach(make_op(), key())) << "another group, though lvs warns";
  run({"vgchange", "-an", "vgp"});
  run({"vgreduce", "--removemissing", "--force", "vgp"});
  run({"vgremove", "-ff", "-y", "vgp"});
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Lvm);

std::vector<const char*> where_there_is_device_mapper() {
  return std::getenv("VOLPLUGIN_TEST_DISKS") ? std::vector{"lab"} : std::vector<const char*>{};
}

INSTANTIATE_TEST_SUITE_P(Lab, Lvm, testing::ValuesIn(where_there_is_device_mapper()));

}  // namespace
}  // namespace volplugin::backend
