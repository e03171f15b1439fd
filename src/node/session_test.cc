// SPDX-License-Identifier: Apache-2.0
// Two hosts and one volume that both can reach: what an agent does when its session ends. On simulated
// storage and the real control plane.
#include "backend/sim/sim_backend.h"
#include "control/control_plane.h"
#include "executor/fake_filesystems_for_test.h"
#include "kv/memory/memory_store.h"
#include "node/agent.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace volplugin::node {
namespace {

model::NodeName node(const std::string& name) {
  return *model::NodeTag::parse(name);
}
Op op() {
  return Op(system_clock(), Millis(10'000), "test", "test");
}
model::VolumeId volume() {
  return *model::parse_volume_id("t/v");
}

// Forwards to the control plane unless the network is cut.
class Network final : public service::VolumeRecords {
 public:
  explicit Network(service::VolumeRecords& server) : server_(server) {}
  bool cut = false;
  std::optional<service::OpenSession> first_opened;  // what the host said of itself then

  Result<service::CreateOutcome> create_volume(const Op& op, const service::CreateVolume& request) override {
    TRY(reach());
    return server_.create_volume(op, request);
  }
  Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) override {
    TRY(reach());
    return server_.get_volume(op, id);
  }
  Result<service::Page<model::Volume>> list_volumes(const Op& op, const service::ListQuery& query) override {
    TRY(reach());
    return server_.list_volumes(op, query);
  }
  Result<> remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) override {
    TRY(reach());
    return server_.remove_volume(op, id, mode);
  }
  Result<model::Record<model::Mount>> acquire_mount(const Op& op,
                                                    const service::AcquireMount& request) override {
    TRY(reach());
    return server_.acquire_mount(op, request);
  }
  Result<model::Record<model::Mount>> update_mount(const Op& op,
                                                   const service::UpdateMount& request) override {
    TRY(reach());
    return server_.update_mount(op, request);
  }
  Result<> release_mount(const Op& op, const service::ReleaseMount& request) override {
    TRY(reach());
    return server_.release_mount(op, request);
  }
  Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) override {
    TRY(reach());
    return server_.get_mount(op, id);
  }
  Result<service::Page<model::Mount>> list_mounts(const Op& op, const service::ListQuery& query) override {
    TRY(reach());
    return server_.list_mounts(op, query);
  }
  Result<model::Record<model::Session>> open_session(const Op& op,
                                                     const service::OpenSession& request) override {
    TRY(reach());
    if (!first_opened) first_opened = request;
    return server_.open_session(op, request);
  }
  Result<> renew_session(const Op& op, const model::NodeName& node, const std::string& session) override {
    TRY(reach());
    return server_.renew_session(op, node, session);
  }

 private:
  Result<> reach() const {
    if (cut) return make_error(Code::unavailable, "the network is cut");
    return {};
  }
  service::VolumeRecords& server_;
};

class Host {
 public:
  Host(const std::string& name, const std::shared_ptr<backend::SimCluster>& cluster,
       service::VolumeRecords& server, const Clock& clock)
      : network(server), filesystems(cluster, name) {
    char pattern[] = "/tmp/volplugin-host-XXXXXX";
    directory_ = mkdtemp(pattern);
    backends_.emplace("sim", std::make_unique<backend::SimBackend>(cluster, name));
    executor_ = std::make_unique<executor::Executor>(backends_, filesystems, "/mounts");
    AgentSettings settings{node(name), directory_, "boot-1", "test", {"sim"}};
    settings.host.host = "id-of-" + name;
    agent = std::move(*Agent::open({network, *executor_, filesystems, clock,
                                    [this](const std::string& warning) { warnings += warning + "\n"; }},
                                   settings));
  }
  ~Host() { std::filesystem::remove_all(directory_); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  Result<std::string> mount(const std::string& id) { return agent->mount(op(), {"t/v", id, {}}); }
  Result<> unmount(const std::string& id) { return agent->unmount(op(), "t/v", id); }
  bool mounted() { return executor_->is_mounted(op(), volume()).value(); }
  std::string status(const std::string& key) {
    const auto found = agent->get(op(), "t/v");
    if (!found) return found.error().message;
    for (const auto& [name, value] : found->status)
      if (name == key) return value;
    return "";
  }

  Network network;
  executor::FakeFilesystems filesystems;
  std::string warnings;
  std::unique_ptr<Agent> agent;

 private:
  std::string directory_;
  executor::Backends backends_;
  std::unique_ptr<executor::Executor> executor_;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    backends_.emplace("sim", std::make_unique<backend::SimBackend>(cluster_, "volmaster"));
    model::Tenant tenant{*model::TenantTag::parse("t"), {}, {}};
    tenant.defaults.size = Bytes::mib(16);
    EXPECT_TRUE(control_.put_tenant(op(), tenant, {}));
    EXPECT_TRUE(control_.create_volume(op(), {volume(), {}, {}}));
  }
  // Its host is not heard of for its whole time to live.
  void end_session(const std::string& name) {
    const auto session = catalog_->sessions.find(name);
    ASSERT_TRUE(session);
    ASSERT_TRUE(store_.revoke(op(), kv::LeaseId{std::stoull(session->value.id)}));
    ASSERT_TRUE(catalog_->refresh(op(), catalog_->sessions, name));
    ASSERT_FALSE(catalog_->sessions.find(name));
  }
  std::string holder() {
    const auto held = catalog_->mounts.find("t/v");
    return held ? held->value.node.str() : "";
  }
  backend::ImageKey image() { return executor::key_of(catalog_->volumes.find("t/v")->value); }

  FakeClock clock_;
  kv::MemoryStore store_;
  std::unique_ptr<catalog::Catalog> catalog_ = std::move(*catalog::Catalog::open(op(), store_));
  std::shared_ptr<backend::SimCluster> cluster_ =
      std::make_shared<backend::SimCluster>(backend::Scope::cluster, Bytes::gib(100));
  executor::Backends backends_;
  executor::FakeFilesystems filesystems_{cluster_, "volmaster"};
  executor::Executor executor_{backends_, filesystems_, "/mounts"};
  control::TaskQueue tasks_{clock_};
  control::ControlPlane control_{{*catalog_, backends_, executor_, tasks_, clock_},
                                 {{"sim", {{"sim", "pool"}}}, std::nullopt, "test"}};
  Host a_{"a", cluster_, control_, clock_}, b_{"b", cluster_, control_, clock_};
};

TEST_F(SessionTest, ASecondHostIsRefusedWithTheHoldersName) {
  ASSERT_TRUE(a_.mount("1"));
  const auto refused = b_.mount("2");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("'a'"), std::string::npos) << refused.error().message;
  ASSERT_TRUE(a_.unmount("1"));
  EXPECT_TRUE(b_.mount("2"));
}

TEST_F(SessionTest, AHostThatComesBackInTimeKeepsItsMounts) {
  ASSERT_TRUE(a_.mount("1"));
  a_.network.cut = true;
  clock_.advance(Millis(40'000));
  a_.agent->keep_session(op());
  EXPECT_NE(a_.warnings.find("no session"), std::string::npos) << a_.warnings;
  const auto second = a_.mount("2");
  ASSERT_FALSE(second) << "its right cannot be proved";
  EXPECT_EQ(second.error().code, Code::unavailable);

  a_.network.cut = false;
  end_session("a");
  a_.agent->keep_session(op());
  EXPECT_TRUE(a_.mount("2"));
  EXPECT_FALSE(catalog_->mounts.find("t/v")->value.stale);
  EXPECT_EQ(catalog_->mounts.find("t/v")->value.session, catalog_->sessions.find("a")->value.id);
  EXPECT_EQ(a_.status("fenced"), "");
}

TEST_F(SessionTest, AHostThatComesBackTooLateIsFencedUntilItsContainersAreGone) {
  ASSERT_TRUE(a_.mount("1"));
  a_.network.cut = true;
  end_session("a");
  EXPECT_TRUE(b_.mount("2"));
  EXPECT_EQ(holder(), "b");
  EXPECT_FALSE(cluster_->write("a", image()));

  a_.network.cut = false;
  clock_.advance(Millis(40'000));
  a_.agent->keep_session(op());
  EXPECT_EQ(a_.status("fenced"), "true");
  EXPECT_NE(a_.warnings.find("'t/v' is fenced"), std::string::npos) << a_.warnings;
  EXPECT_EQ(catalog_->nodes.find("a")->value.fenced, std::vector<std::string>{"t/v"});
  const auto refused = a_.mount("3");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("fenced"), std::string::npos) << refused.error().message;

  ASSERT_TRUE(a_.unmount("1"));
  EXPECT_FALSE(a_.mounted());
  EXPECT_EQ(holder(), "b") << "what it gives back is no longer its own";
  EXPECT_TRUE(catalog_->nodes.find("a")->value.fenced.empty());
  ASSERT_TRUE(b_.unmount("2"));
  EXPECT_TRUE(a_.mount("4")) << "it is not kept away for ever";
  EXPECT_TRUE(cluster_->write("a", image()));
}

TEST_F(SessionTest, WhatAHostSaidBeforeItWasFencedIsPutRightWhenItArrivesLate) {
  ASSERT_TRUE(a_.mount("1"));
  end_session("a");
  ASSERT_TRUE(b_.mount("2"));
  clock_.advance(Millis(40'000));
  a_.agent->keep_session(op());
  ASSERT_EQ(a_.status("fenced"), "true");
  ASSERT_TRUE(control_.open_session(op(), *a_.network.first_opened));
  ASSERT_TRUE(catalog_->nodes.find("a")->value.fenced.empty());
  a_.agent->keep_session(op());
  EXPECT_EQ(catalog_->nodes.find("a")->value.fenced, std::vector<std::string>{"t/v"});
}

TEST_F(SessionTest, ANewUserFindsOutBeforeTheHeartbeatDoes) {
  ASSERT_TRUE(a_.mount("1"));
  end_session("a");
  ASSERT_TRUE(b_.mount("2"));
  clock_.advance(Millis(40'000));  // its own clock tells it so too
  EXPECT_FALSE(a_.mount("3"));
  EXPECT_EQ(a_.status("fenced"), "true");
}

TEST_F(SessionTest, ARecordRemovedByHandIsNotTakenBack) {
  ASSERT_TRUE(a_.mount("1"));
  end_session("a");
  ASSERT_TRUE(control_.forget_mount(op(), {volume()}));
  clock_.advance(Millis(40'000));
  a_.agent->keep_session(op());
  EXPECT_EQ(a_.status("fenced"), "true");
  EXPECT_EQ(holder(), "");
}

TEST_F(SessionTest, ALeaseWhoseSessionWasReplacedIsNoSession) {
  ASSERT_TRUE(a_.mount("1"));
  const std::string before = catalog_->sessions.find("a")->value.id;
  catalog::Edit edit;
  edit.erase(catalog_->sessions, "a");  // its lease lives on
  ASSERT_TRUE(catalog_->commit(op(), std::move(edit)));
  a_.agent->keep_session(op());
  ASSERT_TRUE(catalog_->sessions.find("a"));
  EXPECT_NE(catalog_->sessions.find("a")->value.id, before);
  EXPECT_TRUE(a_.mount("2"));
}

TEST_F(SessionTest, ARestartedAgentGoesOnWithItsSession) {
  ASSERT_TRUE(a_.mount("1"));
  const std::string before = catalog_->sessions.find("a")->value.id;
  a_.agent->recover_step(op());
  EXPECT_EQ(catalog_->sessions.find("a")->value.id, before);
  EXPECT_TRUE(a_.mount("2"));
}

TEST_F(SessionTest, ARecordThatNobodyKnowsOfIsGivenBack) {
  a_.agent->recover_step(op());
  // A request that was given up, and was carried out much later.
  ASSERT_TRUE(control_.acquire_mount(op(), {volume(),
                                            node("a"),
                                            catalog_->sessions.find("a")->value.id,
                                            "late",
                                            "/mounts",
                                            {*model::MountIdTag::parse("x"), clock_.wall()}}));
  clock_.advance(Millis(61'000));
  a_.agent->recover_step(op());
  EXPECT_EQ(holder(), "");
}

TEST_F(SessionTest, ALateRequestToMountChangesNothingForWhoHasItMounted) {
  ASSERT_TRUE(a_.mount("1"));
  const auto held = *control_.get_mount(op(), volume());
  const service::AcquireMount late{volume(), node("a"), held->value.session,
                                   "late",   "/m",      {*model::MountIdTag::parse("x"), clock_.wall()}};
  EXPECT_EQ(control_.acquire_mount(op(), late).error().code, Code::conflict);
  // The release that followed it then.
  EXPECT_EQ(control_.release_mount(op(), {volume(), node("a"), "late"}).error().code, Code::conflict);
  EXPECT_EQ(holder(), "a");
  ASSERT_TRUE(a_.unmount("1"));
  EXPECT_EQ(holder(), "");
}

TEST_F(SessionTest, ARecordThatCameTooLateIsGivenBackByTheNextMount) {
  a_.agent->recover_step(op());
  const std::string session = catalog_->sessions.find("a")->value.id;
  const service::AcquireMount late{volume(), node("a"), session,
                                   "late",   "/m",      {*model::MountIdTag::parse("x"), clock_.wall()}};
  ASSERT_TRUE(control_.acquire_mount(op(), late));
  ASSERT_TRUE(a_.mount("1"));
  EXPECT_NE((*control_.get_mount(op(), volume()))->value.claim, "late");
  ASSERT_TRUE(a_.unmount("1"));
  EXPECT_EQ(holder(), "");
}

TEST_F(SessionTest, MountsWaitForTheHolderIfAskedTo) {
  AgentSettings settings{
      node("c"), "/tmp/volplugin-host-c-" + std::to_string(getpid()), "boot-1", "test", {"sim"}};
  settings.host.host = "id-of-c";
  settings.mount_wait = Millis(20'000);
  executor::FakeFilesystems filesystems(cluster_, "c");
  executor::Backends backends;
  backends.emplace("sim", std::make_unique<backend::SimBackend>(cluster_, "c"));
  executor::Executor executor(backends, filesystems, "/mounts");
  const auto patient = std::move(
      *Agent::open({control_, executor, filesystems, system_clock(), [](const std::string&) {}}, settings));
  ASSERT_TRUE(a_.mount("1"));
  std::jthread leaving([this] {
    std::this_thread::sleep_for(Millis(100));
    EXPECT_TRUE(a_.unmount("1"));
  });
  EXPECT_TRUE(patient->mount(op(), {"t/v", "2", {}}));
  EXPECT_EQ(holder(), "c");
  std::filesystem::remove_all(settings.state_dir);
}

}  // namespace
}  // namespace volplugin::node
