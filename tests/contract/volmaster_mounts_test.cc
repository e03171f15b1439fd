// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about mounts.
#include "tests/contract/volmaster_contract.h"

namespace volplugin::contract {
namespace {

using service::Confirmed;

std::string ids_of(const model::Mount& mount) {
  std::string ids;
  for (const auto& one : mount.uses) ids += one.id.str() + " ";
  return ids;
}

TEST_P(VolmasterContract, AcquiredMountIsReadBack) {
  upload("t1");
  const auto made = must(create("t1/v")).volume;
  const auto held = must(acquire("t1/v", "n1", "id-1"));
  const auto read = must(master().get_mount(op_for(), volume("t1/v")));
  EXPECT_EQ(read->revision, held->revision);
  EXPECT_EQ(read->value.volume, volume("t1/v"));
  EXPECT_EQ(read->value.volume_uid, made->value.uid);
  EXPECT_EQ(read->value.node, node("n1"));
  EXPECT_EQ(read->value.phase, model::MountPhase::mounted);
  EXPECT_EQ(read->value.mount_point, "/mnt/t1/v");
  EXPECT_EQ(read->value.message, "");
  EXPECT_GT(read->value.fencing, 0U);
  EXPECT_GT(read->value.since, WallTime{});
  ASSERT_EQ(read->value.uses.size(), 1U);
  EXPECT_EQ(read->value.uses[0].id.str(), "id-1");
  EXPECT_EQ(read->value.uses[0].since, use("id-1").since);
}

TEST_P(VolmasterContract, AcquireIsIdempotentForItsNodeAndCollectsUses) {
  upload("t1");
  must(create("t1/v"));
  const auto first = must(acquire("t1/v", "n1", "id-1"));
  const auto again = must(acquire("t1/v", "n1", "id-1"));
  EXPECT_EQ(again->value.fencing, first->value.fencing);
  EXPECT_EQ(ids_of(again->value), "id-1 ");
  const auto more = must(acquire("t1/v", "n1", "id-2"));
  EXPECT_EQ(more->value.fencing, first->value.fencing);
  EXPECT_EQ(ids_of(more->value), "id-1 id-2 ");
}

TEST_P(VolmasterContract, OtherNodeIsRefusedWithTheHoldersName) {
  upload("t1");
  must(create("t1/v"));
  must(acquire("t1/v", "n1", "id-1"));
  expect_error(acquire("t1/v", "n2", "id-2"), Code::conflict, {"'t1/v'", "'n1'"});
  EXPECT_EQ(ids_of(must(master().get_mount(op_for(), volume("t1/v")))->value), "id-1 ");
}

TEST_P(VolmasterContract, AcquireOfAMissingVolumeIsNotFound) {
  upload("t1");
  expect_error(acquire("t1/v", "n1", "id-1"), Code::not_found, {"'t1/v'"});
  expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found, {"'t1/v'"});
}

TEST_P(VolmasterContract, HolderUpdatesItsMount) {
  upload("t1");
  must(create("t1/v"));
  must(acquire("t1/v", "n1", "id-1"));
  const service::UpdateMount leaving{
      volume("t1/v"), node("n1"), "claim", model::MountPhase::unmounting, "\"busy\": files are open\n", {}};
  const auto changed = must(master().update_mount(op_for(), leaving));
  EXPECT_EQ(changed->value.phase, model::MountPhase::unmounting);
  EXPECT_EQ(changed->value.message, "\"busy\": files are open\n");
  EXPECT_TRUE(changed->value.uses.empty());
  const auto operations = must(master().list_operations(op_for()));
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0].kind, "unmount");
  EXPECT_EQ(operations[0].volume, "t1/v");
  EXPECT_EQ(operations[0].message, "\"busy\": files are open\n");
  const auto one = must(master().get_operation(op_for(), operations[0].id));
  EXPECT_EQ(one.volume, "t1/v");
  EXPECT_EQ(one.message, operations[0].message);
  expect_error(master().get_operation(op_for(), "a/b c"), Code::not_found, {"'a/b c'"});
  expect_error(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data), Code::busy,
               {"files are open"});

  // A new container before it was gone: mounted again, nothing left of the message.
  const auto back = must(acquire("t1/v", "n1", "id-2"));
  EXPECT_EQ(back->value.phase, model::MountPhase::mounted);
  EXPECT_EQ(back->value.message, "");
  EXPECT_EQ(ids_of(back->value), "id-2 ");
  const auto both = must(master().update_mount(op_for(), {.volume = volume("t1/v"),
                                                          .node = node("n1"),
                                                          .claim = "claim",
                                                          .phase = model::MountPhase::mounted,
                                                          .message = "",
                                                          .uses = {use("x"), use("y")}}));
  EXPECT_EQ(ids_of(both->value), "x y ");
}

TEST_P(VolmasterContract, OnlyTheHolderUpdates) {
  upload("t1");
  must(create("t1/v"));
  service::UpdateMount update{volume("t1/v"), node("n2"), "claim"};
  expect_error(master().update_mount(op_for(), update), Code::not_found, {"'t1/v'"});
  must(acquire("t1/v", "n1", "id-1"));
  expect_error(master().update_mount(op_for(), update), Code::conflict, {"'n1'"});
}

TEST_P(VolmasterContract, ReleaseIsIdempotentAndOnlyForTheHolder) {
  upload("t1");
  must(create("t1/v"));
  EXPECT_TRUE(release("t1/v", "n1"));
  must(acquire("t1/v", "n1", "id-1"));
  expect_error(release("t1/v", "n2"), Code::conflict, {"'t1/v'", "'n1'"});
  EXPECT_TRUE(release("t1/v", "n1"));
  EXPECT_TRUE(release("t1/v", "n1"));
  expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found);
  EXPECT_TRUE(acquire("t1/v", "n2", "id-2"));
}

TEST_P(VolmasterContract, ForgetDropsTheRecordOfWhoeverHoldsIt) {
  upload("t1");
  must(create("t1/v"));
  expect_error(master().forget_mount(op_for(), {volume("t1/v"), {}, Confirmed::yes}), Code::not_found,
               {"'t1/v'"});
  must(acquire("t1/v", "n1", "id-1"));
  EXPECT_TRUE(master().forget_mount(op_for(), {volume("t1/v"), {}, Confirmed::yes}));
  expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found);
}

// A request that comes too late, or of a person who looked at it long ago.
TEST_P(VolmasterContract, ForgetOfAClaimLeavesANewerMountAlone) {
  upload("t1");
  must(create("t1/v"));
  const service::ForgetMount old{volume("t1/v"), "old", Confirmed::yes};
  EXPECT_TRUE(master().forget_mount(op_for(), old)) << "it is gone already";
  must(acquire("t1/v", "n1", "id-1"));
  expect_error(master().forget_mount(op_for(), old), Code::conflict, {"'t1/v'", "'n1'", "another claim"});
  const auto held = must(master().get_mount(op_for(), volume("t1/v")));
  const service::ForgetMount current{volume("t1/v"), held->value.claim, Confirmed::yes};
  EXPECT_TRUE(master().forget_mount(op_for(), current));
  EXPECT_TRUE(master().forget_mount(op_for(), current)) << "again";
  expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterContract, ForgettingAHolderThatIsConnectedHasToBeConfirmed) {
  upload("t1");
  must(create("t1/v"));
  const FakeAgent agent(master(), node("n1"), storage());
  ASSERT_TRUE(eventually([&] { return world_.tasks().connected(node("n1")); }));
  for (const auto* holder : {"n1", "here"}) {  // the local node has no agent that asks for work
    must(acquire("t1/v", holder, "id-1"));
    expect_error(master().forget_mount(op_for(), {volume("t1/v")}), Code::busy,
                 {fmt::format("node '{}'", holder), "'t1/v'", "data is lost", "--yes"});
    EXPECT_TRUE(master().get_mount(op_for(), volume("t1/v")));
    EXPECT_TRUE(master().forget_mount(op_for(), {volume("t1/v"), {}, Confirmed::yes}));
    expect_error(master().get_mount(op_for(), volume("t1/v")), Code::not_found);
  }
}

TEST_P(VolmasterContract, FencingGrowsWithEveryMount) {
  upload("t1");
  must(create("t1/v"));
  std::uint64_t last = 0;
  for (const auto* name : {"n1", "n2", "n1", "n1"}) {
    const auto held = must(acquire("t1/v", name, "id"));
    EXPECT_GT(held->value.fencing, last);
    last = held->value.fencing;
    must(release("t1/v", name));
  }
}

TEST_P(VolmasterContract, HostLocalVolumeIsUsedOnlyOnItsNode) {
  upload("t1", [](model::Tenant& policy) {
    policy.defaults.backend = "local";
    policy.defaults.pool = "disk";
  });
  const auto made = must(create("t1/v", {}, "here")).volume;
  EXPECT_EQ(made->value.node, node("here"));
  expect_error(acquire("t1/v", "there", "id-1"), Code::unsupported, {"'t1/v'", "'here'"});
  EXPECT_TRUE(acquire("t1/v", "here", "id-1"));
}

TEST_P(VolmasterContract, MountsAreListedByVolumeAndTenant) {
  for (const auto* name : {"t1", "t2"}) upload(name);
  for (const auto* name : {"t2/a", "t1/b", "t1/a"}) {
    must(create(name));
    must(acquire(name, "n1", "id"));
  }
  const auto names = [&](const service::ListQuery& query) {
    std::string all;
    const auto page = must(master().list_mounts(op_for(), query));
    for (const auto& item : page.items) all += item->value.volume.name() + " ";
    return all + "| " + page.next;
  };
  EXPECT_EQ(names({}), "t1/a t1/b t2/a | ");
  EXPECT_EQ(names({.tenant = "t1", .limit = 1}), "t1/a | t1/a");
  EXPECT_EQ(names({.tenant = "t1", .after = "t1/a", .limit = 1}), "t1/b | ");
  EXPECT_EQ(names({.tenant = "t3", .after = "", .limit = 1}), "| ");
  must(create("t1/c"));
  must(acquire("t1/c", "n2", "id"));
  EXPECT_EQ(names({.node = "n2"}), "t1/c | ");
  EXPECT_EQ(names({.node = "n2", .limit = 2}), "| t1/b");
}

}  // namespace
}  // namespace volplugin::contract
