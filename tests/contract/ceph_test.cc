// SPDX-License-Identifier: Apache-2.0
// What only the ceph driver has to cope with, on a real cluster.
#include "backend/fencing.h"
#include "backend/rbd/rbd_backend.h"
#include "os/file.h"
#include "os/scratch.h"
#include "tests/contract/backend_suite.h"
#include "tests/contract/ceph_cluster.h"
#include "tests/contract/ceph_environment.h"
#include "tests/contract/child_process.h"
#include "tests/contract/device_start.h"

#include <array>

#include <signal.h>

namespace volplugin::backend {
namespace {

// With server processes on both hosts.
class CephDriver : public testing::Test {
 protected:
  virtual CephMapping here_maps() const { return userspace_mapping(); }
  void SetUp() override {
    environment_ = std::make_unique<CephEnvironment>(here_maps());
    if (const std::string why = environment_->unable(); !why.empty()) GTEST_SKIP() << "NOT RUN: " << why;
  }

  Backend& here() { return environment_->backend(); }
  Backend& there() { return *environment_->other_host(); }
  static ImageKey key(const std::string& uid = "uid-1") { return {"pool", "tenant.volume", uid}; }
  static CephCluster& ceph() { return shared_ceph(); }

  void make(Backend& host, const ImageKey& image = key()) {
    const auto made = host.ensure(make_op(), image, Bytes::mib(8));
    ASSERT_TRUE(made) << made.error().message;
  }
  static std::unique_ptr<Attachment> attach(Backend& host, const ImageKey& image = key()) {
    auto attached = host.attach(make_op(), image);
    if (!attached) throw std::runtime_error(attached.error().message);
    return std::move(*attached);
  }
  static void note(const std::string& name, const std::string& value) {
    ceph().rados({"-p", "pool", "setomapval", "volplugin_notes", name, value});
  }
  // As the cluster knows the client of there(), which has the image open and is the only one.
  static std::string client_of_there() {
    const std::string status = ceph().rbd({"status", "pool/tenant.volume"});
    const auto begin = status.find("watcher=") + 8;
    return status.substr(begin, status.find(' ', begin) - begin);
  }
  static bool is_watched() {
    return ceph().rbd({"status", "pool/tenant.volume"}).find("watcher=") != std::string::npos;
  }
  void switch_off(const std::string& host) {
    for (const pid_t server : environment_->servers_of(host)) ::kill(server, SIGKILL);
    EXPECT_TRUE(os::wait_until([&] { return environment_->servers_of(host).empty(); }));
  }

  std::unique_ptr<CephEnvironment> environment_;
};

// What has nothing to do with these processes is also true of the kernel's mappings.
class CephImages : public CephDriver, public testing::WithParamInterface<CephMapping> {
  CephMapping here_maps() const override { return GetParam(); }
};

TEST_P(CephImages, AnImageWhoseMakerDiedBeforeItNotedItIsTaken) {
  make(here(), {"pool", "tenant.other", "uid-2"});  // so that there are notes
  ceph().rbd({"create", "--size", "8", "pool/tenant.volume"});
  note("tenant.volume/owner", "uid-1");
  EXPECT_EQ((*here().inspect(make_op(), key()))->uid, "") << "not yet";
  make(here());
  EXPECT_EQ((*here().inspect(make_op(), key()))->uid, "uid-1");
  EXPECT_TRUE(attach(here()));
}

TEST_P(CephImages, AnImageWithDataIsNotTakenWhateverIsNoted) {
  make(here());
  {
    const auto device = attach(here());
    ASSERT_TRUE(write_at_start(device->device(), "data"));
  }
  ASSERT_TRUE(here().detach(make_op(), key(), nullptr));
  note("tenant.volume/owner", "uid-2");
  EXPECT_EQ(code_of(here().ensure(make_op(), key("uid-2"), Bytes::mib(8))), Code::already_exists);
  EXPECT_EQ(code_of(here().remove(make_op(), key("uid-2"))), Code::permission_denied);
  EXPECT_TRUE(ceph().rbd({"ls", "pool"}).contains("tenant.volume\n"));
}

TEST_P(CephImages, WhatACreateThatWasCutShortLeftIsClearedAway) {
  const auto leave_half_an_image = [] {
    ceph().rbd({"create", "--size", "8", "pool/tenant.volume"});
    const std::string info = ceph().rbd({"info", "pool/tenant.volume"});
    const auto id = info.find("id: ") + 4;
    ceph().rados({"-p", "pool", "rm", "rbd_header." + info.substr(id, info.find('\n', id) - id)});
    note("tenant.volume/owner", "uid-1");
  };
  make(here(), {"pool", "tenant.other", "uid-2"});
  leave_half_an_image();
  EXPECT_FALSE((*here().inspect(make_op(), key()))) << "it cannot be opened";
  EXPECT_TRUE(ceph().rbd({"ls", "pool"}).contains("tenant.volume\n")) << "but its name is taken";
  ASSERT_TRUE(here().remove(make_op(), key()));
  EXPECT_FALSE(ceph().rbd({"ls", "pool"}).contains("tenant.volume\n"));
  leave_half_an_image();
  make(here());
  EXPECT_TRUE(attach(here()));
}

TEST_P(CephImages, ARemovalThatWasCutShortIsFinished) {
  make(here());
  ceph().rbd({"trash", "mv", "pool/tenant.volume"});  // as rbd itself does first
  ASSERT_TRUE(here().remove(make_op(), key()));
  EXPECT_EQ(ceph().rbd({"trash", "ls", "--all", "pool"}), "");
}

TEST_P(CephImages, AnImageThatSomebodyMadeAnewIsNotOurs) {
  make(here());
  ceph().rbd({"rm", "--no-progress", "pool/tenant.volume"});
  ceph().rbd({"create", "--size", "8", "pool/tenant.volume"});
  EXPECT_EQ((*here().inspect(make_op(), key()))->uid, "");
  EXPECT_EQ(code_of(here().attach(make_op(), key())), Code::permission_denied);
  EXPECT_EQ(code_of(here().remove(make_op(), key())), Code::permission_denied);
  EXPECT_EQ(code_of(here().ensure(make_op(), key(), Bytes::mib(8))), Code::already_exists);
  EXPECT_TRUE(here().list(make_op(), "pool")->empty());
  const SnapshotKey snapshot{key(), "a", "00000001-0000-4000-8000-000000000000"};
  EXPECT_EQ(code_of(here().snapshots()->ensure_snapshot(make_op(), snapshot)), Code::not_found);
  EXPECT_EQ(ceph().rbd({"snap", "ls", "pool/tenant.volume"}), "");
}

TEST_F(CephDriver, AHostThatWasSwitchedOffShutsItsEarlierSelfOut) {
  make(here());
  {
    const auto device = attach(here());
    ASSERT_TRUE(write_at_start(device->device(), "before"));
    switch_off("host1");
  }
  environment_->restart();
  ASSERT_TRUE(is_watched()) << "the cluster has not noticed yet, or this test proves nothing";
  const auto device = attach(here());
  EXPECT_EQ(read_at_start(device->device()), "before");
  EXPECT_TRUE(write_at_start(device->device(), "after"));
  EXPECT_EQ(ceph().blocklist().size(), 1u);
  ceph().ceph({"osd", "blocklist", "clear"});
}

TEST_F(CephDriver, AServerThatDiedIsReplacedWhenNobodyUsesItsDevice) {
  make(here());
  auto device = attach(here());
  ASSERT_TRUE(write_at_start(device->device(), "before"));
  switch_off("host1");
  EXPECT_FALSE(write_at_start(device->device(), "lost"));
  EXPECT_TRUE(here().detach(make_op(), key(), std::move(device)));
  device = attach(here());
  EXPECT_EQ(read_at_start(device->device()), "before");
  ceph().ceph({"osd", "blocklist", "clear"});
}

TEST_F(CephDriver, AnEarlierImageOfThatNameIsNotShown) {
  make(here());
  {
    const auto device = attach(here());
    ASSERT_TRUE(write_at_start(device->device(), "earlier"));
  }
  auto frozen = environment_->freeze("host1");
  EXPECT_TRUE(os::wait_until([] { return !is_watched(); })) << "the cluster notices that it is silent";
  ASSERT_TRUE(there().remove(make_op(), key()));
  make(there(), key("uid-2"));
  frozen.reset();
  const auto device = attach(here(), key("uid-2"));
  EXPECT_TRUE(write_at_start(device->device(), "new"));
  EXPECT_GT((*here().inspect(make_op(), key("uid-2")))->used, Bytes{})
      << "it went to the image that is there now";
}

TEST_F(CephDriver, CallsToAClusterThatHangsEndAndItGoesOn) {
  make(here());
  ceph().osd().pause();
  const auto hung = here().ensure(make_op(Millis(300)), {"pool", "tenant.late", "uid-2"}, Bytes::mib(8));
  EXPECT_EQ(code_of(hung), Code::deadline_exceeded);
  EXPECT_EQ(hung.error().effect, Effect::unknown);
  EXPECT_EQ(code_of(here().inspect(make_op(Millis(300)), key())), Code::deadline_exceeded);
  ceph().osd().resume();
  EXPECT_TRUE(here().ensure(make_op(), {"pool", "tenant.late", "uid-2"}, Bytes::mib(8)));
  EXPECT_TRUE(attach(here()));
}

TEST_P(CephImages, ASecondHostIsRefusedAsLongAsTheFirstHasIt) {
  make(here());
  auto device = attach(here());
  const auto refused = there().attach(make_op(), key());
  EXPECT_EQ(code_of(refused), Code::busy);
  EXPECT_TRUE(refused.error().message.contains("host 'host1'")) << refused.error().message;
  EXPECT_TRUE(write_at_start(device->device(), "still"));
  ASSERT_TRUE(here().detach(make_op(), key(), std::move(device)));
  EXPECT_EQ(read_at_start(attach(there())->device()), "still");
}

TEST_P(CephImages, OfTwoHostsThatAttachAtOnceAtMostOneHasIt) {
  make(here());
  const std::array<Backend*, 2> hosts{&here(), &there()};
  int won = 0;
  for (int round = 0; round < 8; ++round) {
    std::array<std::unique_ptr<Attachment>, 2> devices;
    run_threads(2, [&](int host) {
      if (auto attached = hosts[host]->attach(make_op(), key())) devices[host] = std::move(*attached);
    });
    EXPECT_FALSE(devices[0] && devices[1]) << "round " << round;
    for (size_t host = 0; host < hosts.size(); ++host) {
      if (!devices[host]) continue;
      ++won;
      EXPECT_TRUE(write_at_start(devices[host]->device(), "mine")) << "whoever has it can write";
      EXPECT_TRUE(hosts[host]->detach(make_op(), key(), std::move(devices[host])));
    }
  }
  EXPECT_GT(won, 0);
}

TEST_P(CephImages, AFencedHostKeepsNoLock) {
  make(here());
  const auto device = attach(here());
  ASSERT_TRUE(write_at_start(device->device(), "mine"));
  ASSERT_NE(ceph().rbd({"lock", "ls", "pool/tenant.volume"}), "") << "there is one to break";
  ASSERT_TRUE(there().fencing()->fence(make_op(), key(), "host1"));
  EXPECT_EQ(ceph().rbd({"lock", "ls", "pool/tenant.volume"}), "");
}

TEST_P(CephImages, RemovingNamesWhoIsInTheWay) {
  make(here());
  const auto device = attach(there());
  const auto refused = here().remove(make_op(), key());
  EXPECT_EQ(code_of(refused), Code::busy);
  EXPECT_TRUE(refused.error().message.contains("host 'host2' (" + client_of_there() + ")"))
      << refused.error().message;
}

TEST_P(CephImages, SnapshotsOfOthersAreNotVolplugins) {
  make(here());
  const std::string spec = "pool/tenant.volume@by-hand";
  ceph().rbd({"snap", "create", "--no-progress", spec});
  Snapshots& snapshots = *here().snapshots();
  EXPECT_TRUE(snapshots.list_snapshots(make_op(), key())->empty());
  const std::string uid = "00000001-0000-4000-8000-000000000000";
  ASSERT_TRUE(snapshots.ensure_snapshot(make_op(), {key(), "by-hand", uid}));
  EXPECT_EQ(snapshots.list_snapshots(make_op(), key())->size(), 1u);
  EXPECT_EQ(snapshots.remove_snapshot(make_op(), {key(), "by-hand", uid}), Removed::removed);
  EXPECT_TRUE(ceph().rbd({"snap", "ls", "pool/tenant.volume"}).contains("by-hand"));
  for (const char* no_uuid : {"", "uid-1", "00000001-0000-4000-8000-00000000000G"})
    EXPECT_EQ(code_of(snapshots.ensure_snapshot(make_op(), {key(), "a", no_uuid})), Code::invalid_argument);
  for (const char* bad : {"", "a@b", "a/b"})
    EXPECT_EQ(code_of(snapshots.ensure_snapshot(make_op(), {key(), bad, uid})), Code::invalid_argument);
}

// As a volmaster that takes a snapshot, or a person with rbd: when this host is cut off, they are not.
TEST_P(CephImages, WhoeverHadTheImageOpenBeforeIsNotThisHost) {
  make(here());
  const os::ScratchDir dir;
  ChildProcess other;
  other.start({"qemu-storage-daemon", "--blockdev",
               "driver=rbd,node-name=image,pool=pool,image=tenant.volume,user=admin,conf=" + ceph().conf()},
              dir / "log");
  ASSERT_TRUE(os::wait_until([] { return is_watched(); }));
  const std::string others = client_of_there();
  auto device = attach(here());
  ceph().rados({"-p", "pool", "getomapval", "volplugin_notes", "tenant.volume/holder/host1", dir / "value"});
  const auto noted = os::read_file(dir / "value");
  ASSERT_TRUE(noted);
  EXPECT_FALSE(noted->empty());
  EXPECT_FALSE(noted->contains(others)) << *noted;
  ASSERT_TRUE(here().detach(make_op(), key(), std::move(device)));
  other.kill();
  ceph().ceph({"osd", "blocklist", "add", others});  // or its watch would last for another half minute
  EXPECT_TRUE(os::wait_until([] { return !is_watched(); }));
  ceph().ceph({"osd", "blocklist", "rm", others});
}

TEST_P(CephImages, AUserWithoutRightsIsToldSo) {
  ceph().add_user("outsider", "another-pool");
  CephSettings settings{
      .conf = ceph().conf(), .user = "outsider", .keyring = ceph().keyring("client.outsider")};
  const os::ScratchDir dir;
  auto outsider = RbdBackend::open(
      system_clock(),
      {.ceph = settings, .pools = {}, .state_dir = dir.path(), .host = "h", .attach = RbdAttach::userspace});
  ASSERT_TRUE(outsider);
  const auto refused = (*outsider)->ensure(make_op(), key(), Bytes::mib(8));
  EXPECT_EQ(code_of(refused), Code::permission_denied);
  EXPECT_EQ(refused.error().effect, Effect::none) << "nothing was begun";
  EXPECT_TRUE((*outsider)->ensure(make_op(), {"another-pool", "t.v", "uid-1"}, Bytes::mib(8)));
}

INSTANTIATE_TEST_SUITE_P(Mappers, CephImages, testing::ValuesIn(ceph_mappings()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace volplugin::backend
