// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about snapshots.
#include "tests/contract/volmaster_contract.h"

namespace volplugin::contract {
namespace {

using backend::SimCall;
using Names = std::vector<std::string>;

class VolmasterSnapshots : public VolmasterContract {
 protected:
  VolmasterSnapshots() {
    upload("t1");
    volume_ = must(create("t1/v")).volume->value;
  }

  Result<model::Record<model::Snapshot>> take(const char* name, const std::string& request = "") {
    const Op op(system_clock(), Millis(20'000), request.empty() ? make_request_id() : request, "contract");
    return master().take_snapshot(op, {volume("t1/v"), model::SnapshotTag::parse(name).value()});
  }
  static model::SnapshotId id(const std::string& text) { return must(model::parse_snapshot_id(text)); }
  Result<> drop(const std::string& text = "t1/v/a") { return master().remove_snapshot(op_for(), id(text)); }
  Names recorded(const service::ListQuery& query = {.tenant = "", .volume = "t1/v", .after = ""}) {
    Names names;
    for (const auto& record : must(master().list_snapshots(op_for(), query)).items)
      names.push_back(record->value.id.text());
    return names;
  }
  std::optional<model::SnapshotPhase> phase() {
    const auto record = master().get_snapshot(op_for(), id("t1/v/a"));
    return record ? std::optional((*record)->value.phase) : std::nullopt;
  }
  static backend::ImageKey image_of(const model::Volume& volume) {
    return {"pool", volume.id.image(), volume.uid};
  }
  // What the storage has, by uid.
  Names stored() {
    Names uids;
    const auto found = world_.cluster().list_snapshots(image_of(volume_));
    if (found)
      for (const auto& info : *found) uids.push_back(info.uid);
    return uids;
  }
  void expect_nothing() {
    EXPECT_TRUE(recorded().empty());
    EXPECT_TRUE(stored().empty());
    EXPECT_TRUE(must(master().list_operations(op_for())).empty());
  }
  void protect(const model::Snapshot& snapshot, bool needed) {
    world_.cluster().protect({image_of(volume_), snapshot.id.name.str(), snapshot.uid}, needed);
  }

  model::Volume volume_{volume("t1/v")};
};

TEST_P(VolmasterSnapshots, TakenAndKnown) {
  const auto taken = must(take("a", "my-Request_1"));
  const auto read = must(master().get_snapshot(op_for(), id("t1/v/a")));
  EXPECT_EQ(read->revision, taken->revision);
  const model::Snapshot& made = read->value;
  EXPECT_EQ(made.phase, model::SnapshotPhase::ready);
  EXPECT_EQ(made.volume_uid, volume_.uid);
  EXPECT_EQ(made.size, volume_.size);
  EXPECT_EQ(made.operation, "my-Request_1");
  EXPECT_EQ(made.worker, "");
  EXPECT_EQ(made.uid.size(), 36U);
  EXPECT_GT(made.taken_at, WallTime{});
  EXPECT_EQ(stored(), Names{made.uid});
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::ready);
}

TEST_P(VolmasterSnapshots, NamedAfterTheTimeIfNobodySays) {
  const auto taken = must(master().take_snapshot(op_for(), {volume("t1/v")}));
  std::string time = format_rfc3339(taken->value.taken_at).substr(0, 10);
  std::erase(time, '-');
  EXPECT_TRUE(taken->value.id.name.str().starts_with(time)) << taken->value.id.text();
  EXPECT_EQ(recorded(), Names{taken->value.id.text()});
}

TEST_P(VolmasterSnapshots, SameNameIsRefusedButNotTheSameRequest) {
  const auto taken = must(take("a", "request-1"));
  EXPECT_EQ(must(take("a", "request-1"))->revision, taken->revision);
  expect_error(take("a", "request-2"), Code::already_exists, {"snapshot 't1/v/a' exists already, taken 20"});
  EXPECT_EQ(stored().size(), 1U);
}

TEST_P(VolmasterSnapshots, ListsInPages) {
  must(create("t1/v2"));
  upload("t2");
  must(create("t2/v"));
  for (const char* name : {"c", "a", "b"}) must(take(name));
  must(master().take_snapshot(op_for(), {volume("t1/v2"), model::SnapshotTag::parse("a").value()}));
  must(master().take_snapshot(op_for(), {volume("t2/v"), model::SnapshotTag::parse("a").value()}));
  EXPECT_EQ(recorded(), (Names{"t1/v/a", "t1/v/b", "t1/v/c"}));
  EXPECT_EQ(recorded({.tenant = "t1", .after = ""}), (Names{"t1/v/a", "t1/v/b", "t1/v/c", "t1/v2/a"}));
  EXPECT_EQ(recorded({.tenant = "", .after = ""}).size(), 5U);
  service::ListQuery query{.tenant = "", .volume = "t1/v", .after = "", .limit = 2};
  const auto page = must(master().list_snapshots(op_for(), query));
  EXPECT_EQ(page.items.size(), 2U);
  query.after = page.next;
  EXPECT_EQ(recorded(query), Names{"t1/v/c"});
  query.volume = "t1/nope";
  expect_error(master().list_snapshots(op_for(), query), Code::not_found, {"volume 't1/nope'"});
}

TEST_P(VolmasterSnapshots, RemovedOnceAndGone) {
  must(take("a"));
  must(take("b"));
  must(drop());
  EXPECT_EQ(recorded(), Names{"t1/v/b"});
  EXPECT_EQ(stored().size(), 1U);
  expect_error(drop(), Code::not_found, {"snapshot 't1/v/a' does not exist"});
  expect_error(master().get_snapshot(op_for(), id("t1/v/a")), Code::not_found, {"snapshot 't1/v/a'"});
  must(take("a"));
}

TEST_P(VolmasterSnapshots, RefusalsChangeNothing) {
  expect_error(master().take_snapshot(op_for(), {volume("t1/w")}), Code::not_found, {"volume 't1/w'"});
  must(create("t1/l", {{"backend", "local"}, {"pool", "x"}}));
  expect_error(master().take_snapshot(op_for(), {volume("t1/l")}), Code::unsupported,
               {"volume 't1/l'", "backend 'local' takes no snapshots"});
  expect_nothing();
}

TEST_P(VolmasterSnapshots, OfAVolumeInUse) {
  must(acquire("t1/v", "n1", "m1"));
  must(take("a"));
  world_.end_session(session("n1"));
  ASSERT_TRUE(eventually([&] { return must(master().get_mount(op_for(), volume("t1/v")))->value.stale; }));
  expect_error(take("b"), Code::busy, {"node 'n1'", "lost", "mount it on another one"});
  EXPECT_EQ(recorded(), Names{"t1/v/a"});
}

TEST_P(VolmasterSnapshots, GoWithTheVolume) {
  must(take("a"));
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data));
  EXPECT_TRUE(recorded({.tenant = "", .after = ""}).empty());
  must(create("t1/v"));
  EXPECT_TRUE(recorded().empty());
  must(take("a"));
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::forget_record));
  EXPECT_TRUE(recorded({.tenant = "", .after = ""}).empty());
}

TEST_P(VolmasterSnapshots, ManyGoWithTheVolume) {
  for (int i = 0; i < 150; ++i) must(take(fmt::format("s{}", i).c_str()));
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data));
  EXPECT_TRUE(recorded({.tenant = "", .after = ""}).empty());
}

TEST_P(VolmasterSnapshots, OneThatIsNeededKeepsItselfAndTheVolume) {
  const auto taken = must(take("a"));
  protect(taken->value, true);
  expect_error(drop(), Code::busy, {"snapshot 't1/v/a'", "clones"});
  EXPECT_EQ(phase(), model::SnapshotPhase::ready);
  expect_error(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data), Code::busy,
               {"clones"});
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::ready);
  EXPECT_EQ(recorded(), Names{"t1/v/a"});
  protect(taken->value, false);
  must(drop());
  expect_nothing();
}

TEST_P(VolmasterSnapshots, FailureLeavesNothing) {
  world_.sim().fail_before(SimCall::ensure_snapshot);
  expect_error(take("a"), Code::unavailable, {"taking snapshot 't1/v/a'"});
  expect_nothing();
  world_.sim().act_then_fail(SimCall::ensure_snapshot);
  expect_error(take("a"), Code::unavailable, {"taking snapshot 't1/v/a'"});
  expect_nothing();
  must(take("a"));
}

TEST_P(VolmasterSnapshots, WhatCannotBeUndoneStaysVisibleUntilItCan) {
  world_.sim().act_then_fail(SimCall::ensure_snapshot);
  world_.sim().fail_before(SimCall::remove_snapshot);
  expect_error(take("a"), Code::unavailable, {"undoing failed too"}, Effect::unknown);
  EXPECT_EQ(phase(), model::SnapshotPhase::removing);
  EXPECT_EQ(stored().size(), 1U);
  const auto operations = must(master().list_operations(op_for()));
  ASSERT_EQ(operations.size(), 1U);
  EXPECT_EQ(operations[0].kind, "remove-snapshot");
  EXPECT_EQ(operations[0].volume, "t1/v/a");
  EXPECT_EQ(operations[0].state, "running");

  world_.sim().fail_before(SimCall::remove_snapshot);
  EXPECT_EQ(world_.control().recover_step(op_for()).size(), 1U);
  EXPECT_EQ(phase(), model::SnapshotPhase::removing);
  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());
  expect_nothing();
}

TEST_P(VolmasterSnapshots, RemovalThatDidNotEndIsFinished) {
  must(take("a"));
  world_.sim().act_then_fail(SimCall::remove_snapshot);
  expect_error(drop(), Code::unavailable, {"removing snapshot 't1/v/a'"}, Effect::unknown);
  EXPECT_EQ(phase(), model::SnapshotPhase::removing);
  const auto taken = must(take("a"));
  EXPECT_EQ(taken->value.phase, model::SnapshotPhase::ready) << "the earlier one is cleared away first";
  EXPECT_EQ(stored(), Names{taken->value.uid});
  world_.sim().fail_before(SimCall::remove_snapshot);
  expect_error(drop(), Code::unavailable);
  must(drop());
  expect_nothing();
}

TEST_P(VolmasterSnapshots, HungStorageEndsWithTheDeadline) {
  world_.sim().hang_until_deadline(SimCall::ensure_snapshot);
  expect_error(master().take_snapshot(op_for(kShort), {volume("t1/v")}), Code::deadline_exceeded);
  EXPECT_TRUE(eventually([&] { return recorded().empty(); }));
  expect_nothing();
}

TEST_P(VolmasterSnapshots, RecordsWithoutTheirVolumeAreForgotten) {
  model::Snapshot orphan = must(take("a", "request-1"))->value;
  orphan.id = id("t1/gone/a");
  world_.put_snapshot(orphan);
  orphan.id = id("t1/v/b");
  orphan.volume_uid = "of an earlier one";
  world_.put_snapshot(orphan);
  EXPECT_EQ(recorded({.tenant = "", .after = ""}), Names{"t1/v/a"});
  expect_error(master().get_snapshot(op_for(), id("t1/v/b")), Code::not_found);
  expect_error(drop("t1/v/b"), Code::not_found);
  EXPECT_NE(must(take("b", "request-1"))->value.volume_uid, orphan.volume_uid) << "it is not in the way";
  EXPECT_EQ(world_.recorded_snapshots(), 3U);
  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());
  EXPECT_EQ(world_.recorded_snapshots(), 2U);
  EXPECT_EQ(recorded({.tenant = "", .after = ""}), (Names{"t1/v/a", "t1/v/b"}));
}

INSTANTIATE_TEST_SUITE_P(Volmaster, VolmasterSnapshots, ::testing::Values(Way::in_process, Way::over_rest),
                         [](const auto& way) {
                           return way.param == Way::in_process ? "InProcess" : "OverRest";
                         });

}  // namespace
}  // namespace volplugin::contract
