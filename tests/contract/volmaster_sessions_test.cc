// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about sessions, and what becomes of mounts when one ends.
#include "tests/contract/volmaster_contract.h"

namespace volplugin::contract {
namespace {

using service::OpenSession;

class VolmasterSessions : public VolmasterContract {
 protected:
  Result<model::Record<model::Session>> open(const OpenSession& request) {
    return master().open_session(op_for(), request);
  }
  // The host is silent for its whole time to live.
  void end(std::string_view of_node) {
    world_.end_session(session(of_node));
    ASSERT_TRUE(eventually([&] { return must(master().get_node(op_for(), node(of_node)))->value.lost; }));
  }
  Result<model::Record<model::Mount>> claim_again(std::string_view name, std::string_view on_node,
                                                  const std::string& claim = "claim") {
    return master().acquire_mount(
        op_for(), {volume(name), node(on_node), session(on_node), claim, "/mnt", use("ignored"), true});
  }
  model::Mount mount_of(std::string_view name) {
    return must(master().get_mount(op_for(), volume(name)))->value;
  }
};

TEST_P(VolmasterSessions, GoesOnForTheSameHost) {
  const OpenSession asked{{node("n1"), "1", {"sim"}, "boot"}, "host-1", Millis(5'000)};
  const auto first = must(open(asked));
  EXPECT_EQ(first->value.node, node("n1"));
  EXPECT_EQ(first->value.host, "host-1");
  EXPECT_EQ(first->value.boot_id, "boot");
  EXPECT_EQ(first->value.ttl, Millis(5'000));
  EXPECT_FALSE(first->value.id.empty());
  EXPECT_EQ(must(open(asked))->value.id, first->value.id);
  EXPECT_TRUE(master().renew_session(op_for(), node("n1"), first->value.id));
}

TEST_P(VolmasterSessions, ARebootedHostGetsANewOne) {
  const auto before = must(open({{node("n1"), "1", {}, "boot-1"}, "host-1"}));
  const auto after = must(open({{node("n1"), "1", {}, "boot-2"}, "host-1"}));
  EXPECT_NE(after->value.id, before->value.id);
  expect_error(master().renew_session(op_for(), node("n1"), before->value.id), Code::not_found, {"'n1'"});
  EXPECT_TRUE(master().renew_session(op_for(), node("n1"), after->value.id));
}

TEST_P(VolmasterSessions, TwoHostsCannotShareAName) {
  must(open({{node("n1")}, "host-of-n1"}));
  expect_error(open({{node("n1")}, "host-2"}), Code::conflict, {"'n1'", "host-of-n1", "--host-label"});
  end("n1");
  EXPECT_TRUE(open({{node("n1")}, "host-2"}));
}

TEST_P(VolmasterSessions, TimesToLiveHaveLimits) {
  for (const Millis ttl : {Millis(0), Millis(1'999), Millis(3'600'001)})
    expect_error(open({{node("n1")}, "host-1", ttl}), Code::invalid_argument, {"ttl-ms"});
  EXPECT_TRUE(open({{node("n1")}, "host-1", Millis(2'000)}));
}

TEST_P(VolmasterSessions, WhatIsNoSessionCannotBeRenewed) {
  for (const auto* id : {"", "7x", "no", "123456789", "99999999999999999999999"})
    if (*id != '\0')
      expect_error(master().renew_session(op_for(), node("n1"), id), Code::not_found, {"'n1'"});
}

TEST_P(VolmasterSessions, MountsNeedALivingSession) {
  upload("t1");
  must(create("t1/v"));
  const std::string id = session("n1");
  end("n1");
  expect_error(master().acquire_mount(op_for(), {volume("t1/v"), node("n1"), id, "claim", "/mnt", use("u")}),
               Code::conflict, {"'n1'", "has ended"});
  expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterSessions, MountsOfALostNodeAreStaleUntilItIsBack) {
  upload("t1");
  must(create("t1/v"));
  const auto held = must(acquire("t1/v", "n1", "id-1"));
  EXPECT_FALSE(mount_of("t1/v").stale);
  end("n1");
  EXPECT_TRUE(mount_of("t1/v").stale);
  EXPECT_TRUE(must(master().list_mounts(op_for(), {})).items.at(0)->value.stale);
  const auto again = must(claim_again("t1/v", "n1"));
  EXPECT_EQ(again->value.fencing, held->value.fencing);
  ASSERT_EQ(again->value.uses.size(), 1U);
  EXPECT_EQ(again->value.uses[0].id.str(), "id-1");
  EXPECT_FALSE(mount_of("t1/v").stale);
}

TEST_P(VolmasterSessions, OnlyTheMountOfALostNodeIsForgottenUnconfirmed) {
  upload("t1");
  must(create("t1/v"));
  must(acquire("t1/v", "n1", "id-1"));
  expect_error(master().forget_mount(op_for(), {volume("t1/v")}), Code::busy, {"'n1'", "'t1/v'", "--yes"});
  end("n1");
  EXPECT_TRUE(master().forget_mount(op_for(), {volume("t1/v")}));
  expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found);
}

// That it asked for work a while ago is no sign of life any more.
TEST_P(VolmasterSessions, ALostNodeIsNotConnectedThoughItAskedForWork) {
  upload("t1");
  must(create("t1/v"));
  must(acquire("t1/v", "n1", "id-1"));
  const FakeAgent agent(master(), node("n1"), storage());
  ASSERT_TRUE(eventually([&] { return must(master().get_node(op_for(), node("n1")))->value.connected; }));
  end("n1");
  ASSERT_TRUE(world_.tasks().connected(node("n1"))) << "or this test tests nothing";
  EXPECT_FALSE(must(master().get_node(op_for(), node("n1")))->value.connected);
  EXPECT_TRUE(master().forget_mount(op_for(), {volume("t1/v"), "claim"}));
}

TEST_P(VolmasterSessions, OnlyTheCurrentClaimChangesAMount) {
  upload("t1");
  must(create("t1/v"));
  must(acquire("t1/v", "n1", "id-1"));
  expect_error(release("t1/v", "n1", "another"), Code::conflict, {"'t1/v'", "claim"});
  expect_error(master().update_mount(op_for(), {volume("t1/v"), node("n1"), "another"}), Code::conflict,
               {"'t1/v'", "claim"});
  expect_error(claim_again("t1/v", "n1", "another"), Code::conflict, {"'t1/v'"});
  EXPECT_EQ(mount_of("t1/v").claim, "claim");
  // Not even the holder replaces it: its request may have been held up since an earlier time of holding.
  const service::AcquireMount other{volume("t1/v"), node("n1"), session("n1"), "other", "/m", use("u")};
  expect_error(master().acquire_mount(op_for(), other), Code::conflict, {"'t1/v'", "another claim"});
  expect_error(release("t1/v", "n1", "other"), Code::conflict, {"another claim"});
  EXPECT_EQ(mount_of("t1/v").claim, "claim");
  EXPECT_TRUE(release("t1/v", "n1"));
  EXPECT_TRUE(master().acquire_mount(op_for(), other));
}

TEST_P(VolmasterSessions, WhatIsNotHeldCannotBeClaimedAgain) {
  upload("t1");
  must(create("t1/v"));
  expect_error(claim_again("t1/v", "n1"), Code::conflict, {"'n1'", "'t1/v'"});
  must(acquire("t1/v", "n2", "id"));
  expect_error(claim_again("t1/v", "n1"), Code::conflict, {"'n1'", "'t1/v'"});
  EXPECT_EQ(mount_of("t1/v").node, node("n2"));
}

TEST_P(VolmasterSessions, AVolumeOfALostNodeIsTakenOverOnceThatNodeIsCutOff) {
  upload("t1");
  const auto made = must(create("t1/v")).volume->value;
  const backend::ImageKey image{made.options.pool, made.id.image(), made.uid};
  auto device = must(world_.cluster().attach("n1", image));
  const auto held = must(acquire("t1/v", "n1", "id-1"));
  expect_error(acquire("t1/v", "n2", "id-2"), Code::conflict, {"'n1'"});
  EXPECT_TRUE(world_.cluster().write("n1", image));

  end("n1");
  const auto taken = must(acquire("t1/v", "n2", "id-2"));
  EXPECT_EQ(taken->value.node, node("n2"));
  EXPECT_GT(taken->value.fencing, held->value.fencing);
  expect_error(world_.cluster().write("n1", image), Code::permission_denied);

  // Back again it learns that it lost the volume, and may use it again once it has let go of it.
  expect_error(claim_again("t1/v", "n1"), Code::conflict, {"'n1'", "'t1/v'"});
  expect_error(master().release_mount(op_for(), {volume("t1/v"), node("n1"), "claim", true}), Code::busy);
  device.reset();
  expect_error(world_.cluster().attach("n1", image), Code::permission_denied, {"'n1'"});
  must(master().release_mount(op_for(), {volume("t1/v"), node("n1"), "claim", true}));
  EXPECT_TRUE(world_.cluster().attach("n1", image));
  EXPECT_EQ(mount_of("t1/v").node, node("n2"));
}

TEST_P(VolmasterSessions, AVolumeWhoseTakeoverIsManualWaitsForAPerson) {
  upload("t1");
  must(create("t1/v", {{"takeover", "manual"}}));
  const auto held = must(acquire("t1/v", "n1", "id-1"));
  end("n1");
  expect_error(acquire("t1/v", "n2", "id-2"), Code::conflict,
               {"'n1'", "lost", "takeover is manual", "volcli mount force-remove t1/v"});
  EXPECT_EQ(mount_of("t1/v").node, node("n1"));
  EXPECT_EQ(mount_of("t1/v").phase, model::MountPhase::mounted);
  must(master().forget_mount(op_for(), {volume("t1/v"), held->value.claim}));
  EXPECT_EQ(must(acquire("t1/v", "n2", "id-2"))->value.node, node("n2"));
}

TEST_P(VolmasterSessions, ATakeoverThatCouldNotCutOffIsFinishedByTheNextOne) {
  upload("t1");
  must(create("t1/v"));
  must(acquire("t1/v", "n1", "id-1"));
  end("n1");
  world_.sim().fail_before(backend::SimCall::fence);
  expect_error(acquire("t1/v", "n2", "id-2"), Code::unavailable, {"'n1'", "'t1/v'"});
  EXPECT_EQ(mount_of("t1/v").node, node("n1"));
  EXPECT_EQ(mount_of("t1/v").phase, model::MountPhase::fencing);
  // It is back, but can never have this mount again: the takeover need not wait for it.
  expect_error(claim_again("t1/v", "n1"), Code::conflict, {"lost its right"});
  EXPECT_EQ(must(acquire("t1/v", "n3", "id-3"))->value.node, node("n3"));
  EXPECT_EQ(mount_of("t1/v").phase, model::MountPhase::mounted);
}

INSTANTIATE_TEST_SUITE_P(Volmaster, VolmasterSessions, ::testing::Values(Way::in_process, Way::over_rest),
                         [](const auto& way) {
                           return way.param == Way::in_process ? "InProcess" : "OverRest";
                         });

}  // namespace
}  // namespace volplugin::contract
