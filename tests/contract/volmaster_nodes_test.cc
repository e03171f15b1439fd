// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about nodes and the storage work they fetch.
#include "tests/contract/volmaster_contract.h"

#include <future>

namespace volplugin::contract {
namespace {

const Options kLocal{{"backend", "local"}, {"pool", "disk"}};

TEST_P(VolmasterContract, NodeIsReadBackAsItWasRegistered) {
  model::Node told{node("n-1.example"), "0.1.0", {"loop", "lvm"}, "boot-1"};
  told.started_at = WallTime(Millis(1'700'000'000'001));
  must(master().open_session(op_for(), {told, "host-1"}));
  const auto read = must(master().get_node(op_for(), told.name));
  EXPECT_FALSE(read->value.lost);
  EXPECT_EQ(read->value.name, told.name);
  EXPECT_EQ(read->value.version, "0.1.0");
  EXPECT_EQ(read->value.backends, told.backends);
  EXPECT_EQ(read->value.boot_id, "boot-1");
  EXPECT_EQ(read->value.started_at, told.started_at);
  EXPECT_FALSE(read->value.connected);
  told.boot_id = "boot-2";
  must(master().open_session(op_for(), {told, "host-1"}));
  EXPECT_GT(must(master().get_node(op_for(), told.name))->revision, read->revision);
  session("n-0");
  const auto page = must(master().list_nodes(op_for(), {}));
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0]->value.name, node("n-0"));
  EXPECT_EQ(page.items[1]->value.boot_id, "boot-2");
  EXPECT_EQ(must(master().list_nodes(op_for(), {.tenant = "", .after = "n-0", .limit = 1})).items.size(), 1U);
  expect_error(master().get_node(op_for(), node("n-9")), Code::not_found, {"'n-9'"});
}

TEST_P(VolmasterContract, NodeThatAsksForWorkIsConnected) {
  session("there");
  EXPECT_FALSE(must(master().get_node(op_for(), node("there")))->value.connected);
  EXPECT_EQ(must(next_task(master(), node("there"), Millis(0))), std::nullopt);
  EXPECT_TRUE(must(master().get_node(op_for(), node("there")))->value.connected);
  EXPECT_TRUE(must(master().list_nodes(op_for(), {})).items.at(0)->value.connected);
}

TEST_P(VolmasterContract, VolumeOfAnotherNodeIsMadeAndRemovedThere) {
  upload("t1");
  ScriptedStorage& there = storage();
  FakeAgent agent(master(), node("there"), there);
  ASSERT_TRUE(eventually([&] { return world_.tasks().connected(node("there")); }));
  const auto made = must(create("t1/v", kLocal, "there")).volume;
  EXPECT_EQ(made->value.node, node("there"));
  EXPECT_EQ(made->value.phase, model::Phase::ready);
  EXPECT_EQ(made->value.filesystem_type, "ext4");
  EXPECT_EQ(made->value.size, Bytes::mib(10));
  EXPECT_EQ(agent.finished(), 1);
  EXPECT_TRUE(there.has_image(made->value));
  must(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data));
  EXPECT_EQ(agent.finished(), 2);
  EXPECT_FALSE(there.has_image(made->value));
}

TEST_P(VolmasterContract, ErrorOfANodeReachesTheCaller) {
  upload("t1");
  FakeAgent agent(master(), node("there"), storage());
  ASSERT_TRUE(eventually([&] { return world_.tasks().connected(node("there")); }));
  storage().fail_next_make(make_error(Code::resource_exhausted, "no loop device"));
  expect_error(create("t1/v", kLocal, "there"), Code::resource_exhausted, {"'t1/v'", "no loop device"});
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
  storage().fail_next_make(make_error(Code::unavailable, "disk went", Effect::unknown));
  expect_error(create("t1/v", kLocal, "there"), Code::unavailable, {"disk went"}, Effect::unknown);
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::failed);
}

TEST_P(VolmasterContract, TaskSaysWhatToDoAndHowLongItIsWaitedFor) {
  upload("t1");
  auto polled =
      std::async(std::launch::async, [&] { return next_task(master(), node("there"), Millis(20'000)); });
  ASSERT_TRUE(eventually([&] { return world_.tasks().connected(node("there")); }));
  auto created = std::async(std::launch::async, [&] { return create("t1/v", kLocal, "there"); });
  const auto task = must(polled.get());
  ASSERT_TRUE(task);
  EXPECT_EQ(task->kind, service::TaskKind::make);
  EXPECT_EQ(task->volume.id, volume("t1/v"));
  EXPECT_EQ(task->volume.options.backend, "local");
  EXPECT_EQ(task->volume.filesystem_command, "mkfs.ext4 -m0 %");
  EXPECT_EQ(task->volume.phase, model::Phase::creating);
  EXPECT_GT(task->remaining, Millis(1'000));
  EXPECT_LE(task->remaining, Millis(20'000));
  EXPECT_EQ(must(next_task(master(), node("there"), Millis(0))), std::nullopt);  // handed out once
  const service::TaskResult result{task->id, {}, {Bytes{10'485'761}, "ext4"}};
  must(master().finish_task(op_for(), node("there"), result));
  EXPECT_EQ(must(created.get()).volume->value.size, Bytes{10'485'761});
  expect_error(master().finish_task(op_for(), node("there"), result), Code::not_found, {task->id});
}

TEST_P(VolmasterContract, TaskThatIsNotFinishedInTimeHasAnUnknownEffect) {
  upload("t1");
  auto polled =
      std::async(std::launch::async, [&] { return next_task(master(), node("there"), Millis(20'000)); });
  ASSERT_TRUE(eventually([&] { return world_.tasks().connected(node("there")); }));
  expect_error(master().create_volume(op_for(kShort), {volume("t1/v"), kLocal, node("there")}),
               Code::deadline_exceeded, {"'there'"}, Effect::unknown);
  ASSERT_TRUE(must(polled.get()));
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::failed);

  FakeAgent agent(master(), node("there"), storage());
  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterContract, TaskThatNobodyFetchedHadNoEffect) {
  upload("t1");
  must(next_task(master(), node("there"), Millis(0)));
  expect_error(master().create_volume(op_for(kShort), {volume("t1/v"), kLocal, node("there")}),
               Code::deadline_exceeded, {"'there'"});
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterContract, NodeThatIsNotConnectedIsUnavailable) {
  upload("t1");
  expect_error(create("t1/v", kLocal, "there"), Code::unavailable, {"node 'there'", "start volplugin"});
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterContract, NewerRequestForWorkEndsTheOlder) {
  auto older =
      std::async(std::launch::async, [&] { return next_task(master(), node("there"), Millis(20'000)); });
  ASSERT_TRUE(eventually([&] { return world_.tasks().connected(node("there")); }));
  EXPECT_EQ(must(next_task(master(), node("there"), Millis(0))), std::nullopt);
  expect_error(older.get(), Code::cancelled);
}

// More waiting nodes than the server has threads.
TEST_P(VolmasterContract, WaitingNodesKeepNobodyFromBeingServed) {
  constexpr int kNodes = 10;
  std::vector<std::future<Result<std::optional<service::Task>>>> waiting;
  for (int i = 0; i < kNodes; ++i)
    waiting.push_back(std::async(std::launch::async, [this, i] {
      return next_task(master(), node(fmt::format("n{}", i)), Millis(20'000));
    }));
  EXPECT_TRUE(eventually([&] { return world_.tasks().connected_nodes().size() == kNodes; }));
  EXPECT_TRUE(master().health(op_for()));
  world_.tasks().close();
  for (auto& one : waiting) expect_error(one.get(), Code::unavailable, {"stopping"});
}

}  // namespace
}  // namespace volplugin::contract
