// SPDX-License-Identifier: Apache-2.0
// The agent's accounting of mount IDs, on simulated storage and the real control plane. What dockerd
// sends in each case was observed; docs/docker.md lists it.
#include "node/agent.h"

#include "backend/sim/sim_backend.h"
#include "control/control_plane.h"
#include "executor/fake_filesystems_for_test.h"
#include "kv/memory/memory_store.h"

#include <filesystem>
#include <thread>

#include <gtest/gtest.h>

namespace volplugin::node {
namespace {

using Options = std::map<std::string, std::string>;

class AgentTest : public testing::Test {
 protected:
  AgentTest()
      : cluster_(std::make_shared<backend::SimCluster>(backend::Scope::host_local, Bytes::gib(100))),
        filesystems_(cluster_, "host1"),
        tasks_(clock_) {
    char pattern[] = "/tmp/volplugin-agent-XXXXXX";
    dir_ = mkdtemp(pattern);
    auto sim = std::make_unique<backend::SimBackend>(cluster_, "host1");
    sim_ = sim.get();
    backends_.emplace("sim", std::move(sim));
    catalog_ = std::move(*catalog::Catalog::open(op(), store_));
    executor_ = std::make_unique<executor::Executor>(backends_, filesystems_, "/mounts");
    control::Settings settings{{"sim", {{"sim", "pool"}}}, node("host1"), "test"};
    control_ = std::make_unique<control::ControlPlane>(
        control::Parts{*catalog_, backends_, *executor_, tasks_, clock_}, settings);
    model::Tenant tenant{*model::TenantTag::parse("t"), {}, {}};
    tenant.defaults.size = Bytes::mib(16);
    EXPECT_TRUE(control_->put_tenant(op(), tenant, {}));
    start_agent();
    EXPECT_TRUE(agent_->create(op(), "t/v", {}));
  }
  ~AgentTest() override { std::filesystem::remove_all(dir_); }

  static model::NodeName node(const char* name) { return *model::NodeTag::parse(name); }
  static Op op(Millis timeout = Millis(10'000), std::stop_token stop = {}) {
    return Op(system_clock(), timeout, "test", "test", stop);
  }
  void start_agent() {
    clock_.advance(Millis(1000));
    agent_ = std::move(*Agent::open({*control_, *executor_, filesystems_, clock_,
                                     [this](const std::string& warning) { warnings_.push_back(warning); }},
                                    {node("host1"), dir_, "boot-1", "test", {"sim"}, {}, 2}));
  }
  Result<std::string> mount(const std::string& id) {
    clock_.advance(Millis(10));
    return agent_->mount(op(), {"t/v", id, 1});
  }
  void unmount(const std::string& id) { EXPECT_TRUE(agent_->unmount(op(), "t/v", id)); }
  bool mounted() { return executor_->is_mounted(op(), volume()).value(); }
  bool attached() {
    const auto record = catalog_->volumes.find("t/v");
    return record && !cluster_->attached_hosts("host1", {"pool", "t.v", record->value.uid}).empty();
  }
  bool recorded() { return catalog_->mounts.find("t/v") != nullptr; }
  static model::VolumeId volume() { return *model::parse_volume_id("t/v"); }
  static std::string where() { return "/mounts/t.v"; }

  FakeClock clock_;
  std::string dir_;
  std::shared_ptr<backend::SimCluster> cluster_;
  backend::SimBackend* sim_ = nullptr;
  executor::FakeFilesystems filesystems_;
  executor::Backends backends_;
  kv::MemoryStore store_;
  std::unique_ptr<catalog::Catalog> catalog_;
  control::TaskQueue tasks_;
  std::unique_ptr<executor::Executor> executor_;
  std::unique_ptr<control::ControlPlane> control_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Agent> agent_;
};

TEST_F(AgentTest, FirstMountAttachesAndLastUnmountReleases) {
  EXPECT_EQ(*mount("a"), "/mounts/t.v/data");
  EXPECT_EQ(*mount("b"), "/mounts/t.v/data");
  EXPECT_EQ(catalog_->mounts.find("t/v")->value.uses.size(), 2u);
  unmount("a");
  EXPECT_TRUE(mounted());
  unmount("b");
  EXPECT_FALSE(mounted());
  EXPECT_FALSE(attached());
  EXPECT_FALSE(recorded());
}

TEST_F(AgentTest, DockerCpRepeatsTheLiveIdSoItIsCounted) {
  ASSERT_TRUE(mount("a"));
  ASSERT_TRUE(mount("a"));
  unmount("a");
  EXPECT_TRUE(mounted()) << "the container still runs";
  unmount("a");
  EXPECT_FALSE(mounted());
}

TEST_F(AgentTest, AKilledEngineRepeatsTheIdWithoutUnmount) {
  agent_->engine_activated(std::nullopt);
  ASSERT_TRUE(mount("a"));
  agent_->engine_activated(std::nullopt);  // a new engine
  ASSERT_TRUE(mount("a"));
  unmount("a");
  EXPECT_FALSE(mounted()) << "the count of the dead engine leaked";
}

TEST_F(AgentTest, ALostUnmountIsNoticedWhenTheIdComesAgain) {
  ASSERT_TRUE(mount("a"));
  start_agent();  // down while the container stopped
  ASSERT_TRUE(mount("a"));
  unmount("a");
  EXPECT_FALSE(mounted());
}

TEST_F(AgentTest, ACopyIntoARunningContainerAfterARestartIsStillCounted) {
  ASSERT_TRUE(mount("a"));
  filesystems_.used_in_containers = {where()};
  start_agent();
  ASSERT_TRUE(mount("a"));
  unmount("a");
  EXPECT_TRUE(mounted());
}

TEST_F(AgentTest, UnknownIdsAndVolumesUnmountWithoutError) {
  unmount("never");
  EXPECT_TRUE(agent_->unmount(op(), "t/other", "a"));
}

TEST_F(AgentTest, ABusyDeviceIsFinishedInTheBackground) {
  ASSERT_TRUE(mount("a"));
  auto pinned = cluster_->use_device("host1", "/dev/sim0");
  ASSERT_TRUE(pinned);
  unmount("a");
  ASSERT_TRUE(recorded());
  EXPECT_EQ(catalog_->mounts.find("t/v")->value.phase, model::MountPhase::unmounting);
  EXPECT_EQ(warnings_.size(), 1u);
  agent_->recover_step(op());
  EXPECT_TRUE(recorded()) << "still in use";
  pinned->reset();
  agent_->recover_step(op());
  EXPECT_FALSE(recorded());
  EXPECT_FALSE(attached());
}

TEST_F(AgentTest, APoolThatHangsLeavesPlaceForOthers) {
  for (const char* name : {"t/a", "t/b", "t/c"}) {
    ASSERT_TRUE(agent_->create(op(), name, {}));
    ASSERT_TRUE(agent_->mount(op(), {name, "1", 1}));
  }
  ASSERT_TRUE(agent_->create(op(), "t/elsewhere", {{"pool", "another"}}));
  executor::FakeFilesystems::Hang hang{std::latch(2), std::latch(1)};
  filesystems_.hanging = {{"/mounts/t.a", &hang}, {"/mounts/t.b", &hang}};
  std::vector<std::jthread> waiting;
  for (const char* name : {"t/a", "t/b"})
    waiting.emplace_back([&, name] { EXPECT_TRUE(agent_->unmount(op(Millis(60'000)), name, "1")); });
  hang.begun.wait();
  EXPECT_EQ(agent_->mount(op(Millis(500)), {"t/v", "1", 1}).error().code, Code::deadline_exceeded)
      << "both are taken, and there is hope";
  clock_.advance(Bulkhead::kPatience);
  const auto refused = mount("1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_NE(refused.error().message.find("pool 'pool' of backend 'sim'"), std::string::npos);
  EXPECT_TRUE(agent_->unmount(op(), "t/c", "1")) << "Docker need not wait for that";
  EXPECT_TRUE(executor_->is_mounted(op(), *model::parse_volume_id("t/c")).value());
  EXPECT_TRUE(agent_->mount(op(), {"t/elsewhere", "1", 1}));
  EXPECT_TRUE(agent_->unmount(op(), "t/elsewhere", "1"));
  hang.answers.count_down();
  waiting.clear();
  agent_->recover_step(op());
  EXPECT_FALSE(executor_->is_mounted(op(), *model::parse_volume_id("t/c")).value());
  EXPECT_TRUE(mount("1"));
}

TEST_F(AgentTest, AVolumeThatHangsHoldsUpOthersOfItsPoolForOnePassOnly) {
  for (const char* name : {"t/a", "t/b"}) {
    ASSERT_TRUE(agent_->create(op(), name, {}));
    ASSERT_TRUE(agent_->mount(op(), {name, "1", 1}));
  }
  filesystems_.open_files = true;
  for (const char* name : {"t/a", "t/b"}) ASSERT_TRUE(agent_->unmount(op(), name, "1"));
  filesystems_.open_files = false;
  executor::FakeFilesystems::Hang hang{std::latch(2), std::latch(1)};
  filesystems_.hanging = {{"/mounts/t.a", &hang}};
  const auto is_mounted = [&](const char* name) {
    return executor_->is_mounted(op(), *model::parse_volume_id(name)).value();
  };
  agent_->recover_step(op(Millis(200)));
  EXPECT_TRUE(is_mounted("t/b")) << "it is after the other one";
  agent_->recover_step(op(Millis(200)));
  EXPECT_FALSE(is_mounted("t/b"));
  EXPECT_TRUE(is_mounted("t/a"));
  EXPECT_TRUE(hang.begun.try_wait()) << "it is tried again";
  hang.answers.count_down();
  filesystems_.hanging.clear();
  agent_->recover_step(op());
  EXPECT_FALSE(is_mounted("t/a"));
}

TEST_F(AgentTest, AVolumeBeingUnmountedCanBeMountedAgain) {
  ASSERT_TRUE(mount("a"));
  auto pinned = cluster_->use_device("host1", "/dev/sim0");
  unmount("a");
  ASSERT_TRUE(mount("b"));
  EXPECT_EQ(catalog_->mounts.find("t/v")->value.phase, model::MountPhase::mounted);
  agent_->recover_step(op());
  EXPECT_TRUE(mounted());
}

TEST_F(AgentTest, UsesWhoseUnmountNeverCameAreDroppedWhenNothingTouchesTheVolume) {
  ASSERT_TRUE(mount("a"));
  start_agent();
  agent_->recover_step(op());
  EXPECT_TRUE(mounted()) << "one look is not enough";
  agent_->recover_step(op());
  EXPECT_FALSE(mounted());
  EXPECT_FALSE(recorded());
}

TEST_F(AgentTest, ARunningContainerKeepsItsVolumeWhateverTheJournalSays) {
  ASSERT_TRUE(mount("a"));
  filesystems_.used_in_containers = {where()};
  start_agent();
  for (int i = 0; i < 5; ++i) agent_->recover_step(op());
  EXPECT_TRUE(mounted());
  EXPECT_TRUE(recorded());
}

TEST_F(AgentTest, UsesOfThisLifeAreNeverGuessedAway) {
  ASSERT_TRUE(mount("a"));
  for (int i = 0; i < 5; ++i) agent_->recover_step(op());
  EXPECT_TRUE(mounted());
}

TEST_F(AgentTest, AnEngineThatDoesNotSeeTheMountGetsAnErrorAndNothingStays) {
  filesystems_.engine_sees_mounts = false;
  const auto refused = mount("a");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("mount namespace"), std::string::npos);
  EXPECT_FALSE(mounted());
  EXPECT_FALSE(recorded());
  filesystems_.engine_sees_mounts = true;
  EXPECT_TRUE(mount("a"));
}

TEST_F(AgentTest, ARebootReleasesTheRecordsOfTheLifeBefore) {
  ASSERT_TRUE(mount("a"));
  ASSERT_TRUE(filesystems_.unmount(op(), where()));
  cluster_->crash_host("host1");
  std::filesystem::remove_all(dir_);  // what another boot id does to the journal
  start_agent();
  agent_->recover_step(op());
  EXPECT_FALSE(recorded());
  EXPECT_TRUE(mount("a"));
}

TEST_F(AgentTest, AnotherNodesMountIsRefusedWithItsName) {
  model::Use use{*model::MountIdTag::parse("x"), clock_.wall()};
  const auto session = control_->open_session(op(), {{node("host2")}, "another host"});
  ASSERT_TRUE(session);
  const auto volume_on_other_node =
      control_->acquire_mount(op(), {volume(), node("host2"), (*session)->value.id, "claim", "/m", use});
  ASSERT_FALSE(volume_on_other_node);
  EXPECT_NE(volume_on_other_node.error().message.find("host1"), std::string::npos);
}

TEST_F(AgentTest, RemoveOfAMountedVolumeNamesItsUses) {
  ASSERT_TRUE(mount("abc"));
  const auto removed = control_->remove_volume(op(), volume(), service::RemoveMode::delete_data);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::busy);
  EXPECT_NE(removed.error().message.find("container mount abc since"), std::string::npos);
  unmount("abc");
  EXPECT_TRUE(control_->remove_volume(op(), volume(), service::RemoveMode::delete_data));
}

TEST_F(AgentTest, DockerRemoveKeepsTheDataUnlessTheVolumeIsEphemeral) {
  EXPECT_TRUE(agent_->remove(op(), "t/v"));
  EXPECT_TRUE(agent_->get(op(), "t/v"));
  ASSERT_TRUE(agent_->create(op(), "t/e", {{"ephemeral", "true"}}));
  EXPECT_TRUE(agent_->remove(op(), "t/e"));
  EXPECT_EQ(agent_->get(op(), "t/e").error().code, Code::not_found);
}

TEST_F(AgentTest, AFailedMkfsLeavesNothing) {
  filesystems_.mkfs_refuses = "too small";
  const auto made = agent_->create(op(), "t/small", {});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("too small"), std::string::npos);
  EXPECT_EQ(catalog_->volumes.find("t/small"), nullptr);
  EXPECT_EQ(sim_->list(op(), "pool")->size(), 1u);
  filesystems_.mkfs_refuses.clear();
  EXPECT_TRUE(agent_->create(op(), "t/small", {}));
}

TEST_F(AgentTest, AMountWhoseRollbackFailsStaysVisibleUntilItIsDone) {
  auto pinned = cluster_->use_device("host1", "/dev/sim0");
  filesystems_.engine_sees_mounts = false;
  filesystems_.open_files = true;
  EXPECT_FALSE(mount("a"));
  ASSERT_TRUE(recorded());
  EXPECT_EQ(catalog_->mounts.find("t/v")->value.phase, model::MountPhase::unmounting);
  filesystems_.open_files = false;
  agent_->recover_step(op());
  EXPECT_FALSE(recorded());
}

}  // namespace
}  // namespace volplugin::node
