// SPDX-License-Identifier: Apache-2.0
#include "base/calls.h"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>

namespace volplugin {
namespace {

constexpr size_t kThreads = 4;

Op an_op(Millis timeout, std::stop_token stop = {}) {
  return Op(system_clock(), timeout, "test", "test", std::move(stop));
}

TEST(Calls, GiveWhatTheBodyReturns) {
  Calls calls("test", kThreads);
  EXPECT_EQ(*calls.run(an_op(Millis(60'000)), "counting", [] { return Result<int>(7); }), 7);
  const auto failed = calls.run(an_op(Millis(60'000)), "counting",
                                [] { return Result<int>(make_error(Code::busy, "taken")); });
  EXPECT_EQ(failed.error().code, Code::busy);
}

TEST(Calls, TheCallerGoesAtItsDeadlineAndTheCallRunsOn) {
  std::latch let_go(1);
  std::atomic<bool> finished = false;
  {
    Calls calls("test", kThreads);
    const auto gone = calls.run(an_op(Millis(50)), "hanging", [&]() -> Result<> {
      let_go.wait();
      finished = true;
      return {};
    });
    EXPECT_EQ(gone.error().code, Code::deadline_exceeded);
    EXPECT_EQ(gone.error().effect, Effect::unknown);
    EXPECT_FALSE(finished);
    let_go.count_down();
  }  // waits for it
  EXPECT_TRUE(finished);
}

TEST(Calls, AStoppedCallerGoesAtOnce) {
  std::latch let_go(1);
  Calls calls("test", kThreads);
  std::stop_source source;
  std::latch begun(1);
  std::jthread stopper([&] {
    begun.wait();
    source.request_stop();
  });
  const auto gone = calls.run(an_op(Millis(60'000), source.get_token()), "hanging", [&]() -> Result<> {
    begun.count_down();
    let_go.wait();
    return {};
  });
  EXPECT_EQ(gone.error().code, Code::cancelled);
  let_go.count_down();
}

TEST(Calls, AnExpiredOpBeginsNothing) {
  Calls calls("test", kThreads);
  bool begun = false;
  const auto refused = calls.run(an_op(Millis(0)), "beginning", [&]() -> Result<> {
    begun = true;
    return {};
  });
  EXPECT_EQ(refused.error().code, Code::deadline_exceeded);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_FALSE(begun);
}

TEST(Calls, WhenNothingMovesMoreCallsAreRefused) {
  std::latch let_go(1);
  Calls calls("test", kThreads);
  std::vector<std::jthread> callers;
  for (size_t i = 0; i < kThreads; ++i)
    callers.emplace_back([&] {
      EXPECT_TRUE(calls.run(an_op(Millis(60'000)), "hanging", [&]() -> Result<> {
        let_go.wait();
        return {};
      }));
    });
  // Each waits at most its own deadline while there is hope; then none waits at all.
  for (;;) {
    const auto asked = calls.run(an_op(Millis(100)), "asking", [] { return Result<>(); });
    if (!asked && asked.error().code == Code::unavailable) break;
    EXPECT_TRUE(asked || asked.error().code == Code::deadline_exceeded);
  }
  let_go.count_down();
  callers.clear();
  EXPECT_TRUE(calls.run(an_op(Millis(60'000)), "asking", [] { return Result<>(); }));
}

TEST(Calls, ACallWhoseCallerWentKeepsItsTurn) {
  std::latch let_go(1);
  Calls calls("test", kThreads);
  const auto nothing = [] { return Result<>(); };
  const auto gone = calls.run_in_turn(an_op(Millis(50)), "a", "hanging", [&]() -> Result<> {
    let_go.wait();
    return {};
  });
  EXPECT_EQ(gone.error().code, Code::deadline_exceeded);
  const auto next = calls.run_in_turn(an_op(Millis(50)), "a", "waiting", nothing);
  EXPECT_EQ(next.error().code, Code::deadline_exceeded);
  EXPECT_EQ(next.error().effect, Effect::none);
  EXPECT_TRUE(calls.run_in_turn(an_op(Millis(60'000)), "b", "something else", nothing));
  let_go.count_down();
  EXPECT_TRUE(calls.run_in_turn(an_op(Millis(60'000)), "a", "waiting", nothing));
}

}  // namespace
}  // namespace volplugin
