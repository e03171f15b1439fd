// SPDX-License-Identifier: Apache-2.0
// lvmvd's records on simulated storage: what is a volume, what a crash leaves, what is refused.
#include "lvmvd/volume_group.h"

#include "backend/sim/sim_backend.h"
#include "base/faults.h"
#include "executor/fake_filesystems_for_test.h"
#include "os/scratch.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace volplugin::lvmvd {
namespace {

class VolumeGroupTest : public testing::Test {
 protected:
  VolumeGroupTest()
      : cluster_(std::make_shared<backend::SimCluster>(backend::Scope::host_local, Bytes::gib(10))),
        filesystems_(cluster_, "host1") {
    backends_.emplace(kBackend, std::make_unique<backend::SimBackend>(cluster_, "host1"));
    executor_ = std::make_unique<executor::Executor>(backends_, filesystems_, "/mounts");
    restart();
  }
  ~VolumeGroupTest() override { faults::disarm(); }

  static Op op() { return Op(system_clock(), Millis(10'000), "test", "test"); }
  static model::VolumeId id(const std::string& name) { return *model::parse_flat_volume_id(name); }
  static model::NodeName node() { return *model::NodeTag::parse("localhost"); }

  void restart() {
    std::vector<std::string> problems;
    auto unfinished = Unfinished::open(dir_ / "unfinished", problems);
    CHECK(unfinished && problems.empty());
    group_ = std::make_unique<VolumeGroup>(
        VolumeGroupParts{*backends_.begin()->second, *executor_, clock_,
                         [this](const std::string& warning) { warnings_.push_back(warning); }},
        "vg", Bytes::mib(64), std::move(*unfinished));
  }
  Result<service::CreateOutcome> create(const std::string& name,
                                        std::map<std::string, std::string> options = {}) {
    return group_->create_volume(op(), {id(name), std::move(options), std::nullopt});
  }
  Result<> remove(const std::string& name) {
    return group_->remove_volume(op(), id(name), service::RemoveMode::delete_data);
  }
  std::vector<std::string> listed() {
    std::vector<std::string> names;
    const auto page = group_->list_volumes(op(), {});
    EXPECT_TRUE(page);
    for (const auto& volume : page->items) names.push_back(volume->value.id.name());
    return names;
  }
  std::vector<std::string> images() {
    std::vector<std::string> names;
    const auto found = backends_.begin()->second->list(op(), "vg");
    EXPECT_TRUE(found);
    for (const auto& image : *found) names.push_back(image.image);
    return names;
  }
  bool is_unfinished(const std::string& name) const {
    return std::filesystem::exists(dir_ / ("unfinished/" + name + ".json"));
  }

  using Names = std::vector<std::string>;
  FakeClock clock_;
  os::ScratchDir dir_;
  std::shared_ptr<backend::SimCluster> cluster_;
  executor::FakeFilesystems filesystems_;
  executor::Backends backends_;
  std::unique_ptr<executor::Executor> executor_;
  std::vector<std::string> warnings_;
  std::unique_ptr<VolumeGroup> group_;
};

TEST_F(VolumeGroupTest, AVolumeIsWhatTheGroupHas) {
  const auto made = create("b-oS20M");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->volume->value.size, Bytes::mib(20));
  ASSERT_TRUE(create("a", {{"filesystem", "xfs"}}));
  EXPECT_EQ(filesystems_.commands.size(), 2u);
  EXPECT_NE(filesystems_.commands[1].find("mkfs.xfs"), std::string::npos);
  EXPECT_EQ(listed(), (Names{"a", "b-oS20M"}));
  EXPECT_FALSE(is_unfinished("a"));
  restart();
  EXPECT_EQ((*group_->get_volume(op(), id("a")))->value.size, Bytes::mib(64));
  EXPECT_EQ(group_->get_volume(op(), id("c")).error().code, Code::not_found);
  EXPECT_TRUE(remove("a"));
  EXPECT_EQ(listed(), Names{"b-oS20M"});
  EXPECT_EQ(remove("a").error().code, Code::not_found);
}

TEST_F(VolumeGroupTest, ANameThatIsTakenIsRefused) {
  ASSERT_TRUE(create("a"));
  const auto again = create("a");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::already_exists);
  EXPECT_FALSE(is_unfinished("a")) << "or recovery would remove what is somebody's";
  group_->recover_step(op());
  EXPECT_EQ(listed(), Names{"a"});
}

TEST_F(VolumeGroupTest, AVolumeIsThereWhileSomebodyTriesToMakeItAgain) {
  ASSERT_TRUE(create("a"));
  ASSERT_TRUE(faults::arm("create_recorded=fail"));
  EXPECT_FALSE(create("a"));  // as if it had died there
  faults::disarm();
  restart();
  EXPECT_EQ(listed(), Names{"a"});
  EXPECT_TRUE(group_->get_volume(op(), id("a")));
  group_->recover_step(op());
  EXPECT_EQ(images(), Names{"a"});
  EXPECT_FALSE(is_unfinished("a"));
}

TEST_F(VolumeGroupTest, NothingRemainsWhenMkfsFails) {
  filesystems_.mkfs_refuses = "too small";
  const auto refused = create("a");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("too small"), std::string::npos);
  EXPECT_EQ(images(), Names{});
  EXPECT_FALSE(is_unfinished("a"));
  filesystems_.mkfs_refuses.clear();
  EXPECT_TRUE(create("a"));
}

// A step that fails with unknown effect is as a crash there: what is left is the same.
TEST_F(VolumeGroupTest, WhatACrashLeavesIsNoVolumeAndIsRemoved) {
  ASSERT_TRUE(faults::arm("create_recorded=fail"));
  EXPECT_FALSE(create("a"));
  faults::disarm();
  EXPECT_TRUE(is_unfinished("a"));
  // As if lvcreate had come as far as this.
  const model::Volume half = [&] {
    std::vector<std::string> problems;
    return (*Unfinished::open(dir_ / "unfinished", problems))->all().at(0);
  }();
  ASSERT_TRUE(backends_.begin()->second->ensure(op(), {"vg", "a", half.uid}, Bytes::mib(64)));
  restart();
  EXPECT_EQ(listed(), Names{});
  EXPECT_EQ(group_->get_volume(op(), id("a")).error().code, Code::not_found);
  EXPECT_EQ(images(), Names{"a"});
  group_->recover_step(op());
  EXPECT_EQ(images(), Names{});
  EXPECT_FALSE(is_unfinished("a"));
}

TEST_F(VolumeGroupTest, TheSameCreateAfterACrashNeedNotWaitForRecovery) {
  ASSERT_TRUE(faults::arm("create_recorded=fail"));
  EXPECT_FALSE(create("a"));
  faults::disarm();
  restart();
  EXPECT_TRUE(create("a"));
  group_->recover_step(op());
  EXPECT_EQ(listed(), Names{"a"});
}

TEST_F(VolumeGroupTest, ForeignVolumesAreNone) {
  cluster_->put_foreign("host1", {"vg", "root", ""}, Bytes::mib(8));
  EXPECT_EQ(listed(), Names{});
  EXPECT_EQ(group_->get_volume(op(), id("root")).error().code, Code::not_found);
  EXPECT_EQ(remove("root").error().code, Code::not_found);
  EXPECT_EQ(create("root").error().code, Code::already_exists);
  group_->recover_step(op());
  EXPECT_TRUE(backends_.begin()->second->inspect(op(), {"vg", "root", "x"})->has_value());
}

TEST_F(VolumeGroupTest, AMountedVolumeIsNotRemoved) {
  ASSERT_TRUE(create("a"));
  const model::Use use{*model::MountIdTag::parse("m"), {}};
  ASSERT_TRUE(group_->acquire_mount(op(), {id("a"), node(), "1", "claim", "/mounts/a", use}));
  EXPECT_EQ(remove("a").error().code, Code::busy);
  ASSERT_TRUE(group_->release_mount(op(), {id("a"), node(), "claim"}));
  EXPECT_TRUE(remove("a"));
  EXPECT_EQ(group_->acquire_mount(op(), {id("a"), node(), "1", "claim", "/mounts/a", use}).error().code,
            Code::not_found);
}

TEST_F(VolumeGroupTest, NotesThatMakeNoSenseArePutAside) {
  CHECK(os::write_file_atomically(dir_ / "unfinished/x.json", "{", 0600, os::Durability::none));
  std::vector<std::string> problems;
  EXPECT_TRUE(Unfinished::open(dir_ / "unfinished", problems));
  EXPECT_EQ(problems.size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(dir_ / "unfinished/x.json.bad"));
}

}  // namespace
}  // namespace volplugin::lvmvd
