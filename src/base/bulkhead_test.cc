// SPDX-License-Identifier: Apache-2.0
#include "base/bulkhead.h"

#include <thread>

#include <gtest/gtest.h>

namespace volplugin {
namespace {

Op make_op(Millis timeout = Millis(60'000)) {
  return Op(system_clock(), timeout, "test", "test");
}

TEST(Bulkhead, AFullPartIsWaitedForWhileItMovesOn) {
  FakeClock clock;
  Bulkhead bulkhead(clock, 1);
  std::optional<Bulkhead::Place> first = *bulkhead.enter(make_op(), "a");
  EXPECT_TRUE(bulkhead.enter(make_op(), "b")) << "another one is not full";
  EXPECT_EQ(bulkhead.enter(make_op(Millis(50)), "a").error().code, Code::deadline_exceeded);
  std::jthread leaver([&] { first.reset(); });
  EXPECT_TRUE(bulkhead.enter(make_op(), "a"));
}

TEST(Bulkhead, NobodyWaitsForOneThatHangs) {
  FakeClock clock;
  Bulkhead bulkhead(clock, 2);
  std::optional<Bulkhead::Place> first = *bulkhead.enter(make_op(), "a"),
                                 second = *bulkhead.enter(make_op(), "a");
  clock.advance(Bulkhead::kPatience);
  const auto refused = bulkhead.enter(make_op(), "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_EQ(refused.error().effect, Effect::none);
  EXPECT_EQ(refused.error().message, "2 calls wait for a already, and none has ended for 5 s");
  second.reset();
  second.emplace(*bulkhead.enter(make_op(), "a"));
  EXPECT_EQ(bulkhead.enter(make_op(Millis(50)), "a").error().code, Code::deadline_exceeded)
      << "it has just moved";
  first.reset();
  EXPECT_TRUE(bulkhead.enter(make_op(), "a"));
}

}  // namespace
}  // namespace volplugin
