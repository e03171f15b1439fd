// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about calls at the same time and calls that end early.
#include "tests/contract/volmaster_contract.h"

#include <latch>
#include <set>

namespace volplugin::contract {
namespace {

using service::RemoveMode;

TEST_P(VolmasterContract, FiftyCreatesOfOneNameMakeItOnce) {
  constexpr int kCallers = 50;
  upload("t1");
  std::latch begin(kCallers);
  std::vector<Result<service::CreateOutcome>> outcomes(kCallers, make_error(Code::internal, "not called"));
  {
    std::vector<std::jthread> callers;
    for (auto& outcome : outcomes)
      callers.emplace_back([&] {
        begin.arrive_and_wait();
        outcome = create("t1/v", {{"size", "20MB"}});
      });
  }
  int created = 0;
  std::set<std::string> uids;
  for (const auto& outcome : outcomes) {
    ASSERT_TRUE(outcome) << outcome.error().message;
    created += outcome->created ? 1 : 0;
    uids.insert(outcome->volume->value.uid);
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(uids.size(), 1U);
  EXPECT_EQ(storage().makes(), 1);
}

TEST_P(VolmasterContract, CreateAndRemoveAtOnceEndInOneOfTheTwoStates) {
  upload("t1");
  for (int round = 0; round < 30; ++round) {
    std::latch begin(2);
    Result<> removed;
    Result<service::CreateOutcome> created = make_error(Code::internal, "not called");
    {
      const std::jthread remover([&] {
        begin.arrive_and_wait();
        removed = master().remove_volume(op_for(), volume("t1/v"), RemoveMode::delete_data);
      });
      begin.arrive_and_wait();
      created = create("t1/v");
    }
    ASSERT_TRUE(created) << created.error().message;
    const auto now = master().get_volume(op_for(), volume("t1/v"));
    if (now) {
      EXPECT_EQ(now->get()->value.phase, model::Phase::ready);
      EXPECT_EQ(now->get()->value.uid, created->volume->value.uid);
    } else {
      EXPECT_TRUE(removed.has_value()) << removed.error().message;
      EXPECT_EQ(now.error().code, Code::not_found);
    }
    if (!removed) {
      EXPECT_EQ(removed.error().code, Code::not_found) << removed.error().message;
    }
    EXPECT_EQ(storage().has_image(created->volume->value), now.has_value());
  }
}

TEST_P(VolmasterContract, DifferentVolumesAreMadeAtOnce) {
  constexpr int kVolumes = 20;
  upload("t1");
  storage().hold();
  std::atomic<int> made = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < kVolumes; ++i)
    callers.emplace_back([&, i] { made += create(fmt::format("t1/v{}", i)) ? 1 : 0; });
  EXPECT_TRUE(eventually([&] { return storage().waiting() == kVolumes; }));
  // However many wait for storage, the rest is still served.
  EXPECT_TRUE(master().health(op_for()));
  EXPECT_EQ(must(master().list_operations(op_for())).size(), static_cast<size_t>(kVolumes));
  storage().release();
  callers.clear();
  EXPECT_EQ(made, kVolumes);
}

TEST_P(VolmasterContract, VolumeIsVisibleWhileItIsMade) {
  upload("t1");
  storage().hold();
  const std::jthread caller([&] { EXPECT_TRUE(create("t1/v")); });
  ASSERT_TRUE(eventually([&] { return storage().waiting() == 1; }));
  EXPECT_EQ(must(master().get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::creating);
  expect_error(acquire("t1/v", "n1", "id"), Code::busy, {"'t1/v'", "creating"});
  EXPECT_TRUE(world_.control().recover_step(op_for()).empty());  // a call works on it: hands off
  storage().release();
}

TEST_P(VolmasterContract, CreateThatReachesItsDeadlineLeavesNothing) {
  upload("t1");
  storage().hold();
  expect_error(master().create_volume(op_for(kShort), {volume("t1/v"), {}, {}}), Code::deadline_exceeded,
               {"'t1/v'"});
  EXPECT_EQ(storage().makes(), 1);
  expect_error(master().get_volume(op_for(), volume("t1/v")), Code::not_found);
}

TEST_P(VolmasterContract, CreateWhoseCallerLeftLeavesNothing) {
  upload("t1");
  storage().hold();
  std::stop_source stop;
  {
    const std::jthread caller([&] {
      const Op op(system_clock(), Millis(20'000), "leaving", "contract", stop.get_token());
      const auto outcome = master().create_volume(op, {volume("t1/v"), {}, {}});
      ASSERT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code, Code::cancelled) << outcome.error().message;
    });
    ASSERT_TRUE(eventually([&] { return storage().waiting() == 1; }));
    stop.request_stop();
  }
  EXPECT_TRUE(eventually([&] {
    const auto now = master().get_volume(op_for(), volume("t1/v"));
    return !now && now.error().code == Code::not_found;
  }));
}

TEST_P(VolmasterContract, ManyNodesAcquireOneVolumeAndOneGetsIt) {
  constexpr int kNodes = 20;
  upload("t1");
  must(create("t1/v"));
  std::latch begin(kNodes);
  std::atomic<int> won = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kNodes; ++i)
      callers.emplace_back([&, i] {
        begin.arrive_and_wait();
        const auto held = acquire("t1/v", fmt::format("n{}", i), "id");
        if (held) return void(++won);
        EXPECT_EQ(held.error().code, Code::conflict) << held.error().message;
      });
  }
  EXPECT_EQ(won, 1);
}

}  // namespace
}  // namespace volplugin::contract
