// SPDX-License-Identifier: Apache-2.0
#include "base/keyed_queue.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace volplugin {
namespace {

Op op(Millis timeout = Millis(10'000), std::stop_token stop = {}) {
  return Op(system_clock(), timeout, "test", "test", stop);
}

TEST(KeyedQueue, OneAtATimePerKeyInOrderOfArrival) {
  KeyedQueue queue;
  int inside = 0;
  int most = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      const auto turn = queue.enter(op(), "a");
      ASSERT_TRUE(turn);
      most = std::max(most, ++inside);  // not atomic: the queue is what protects it
      std::this_thread::yield();
      --inside;
    });
  threads.clear();
  EXPECT_EQ(most, 1);
}

TEST(KeyedQueue, DifferentKeysDoNotWait) {
  KeyedQueue queue;
  const auto first = queue.enter(op(), "a");
  const auto second = queue.enter(op(), "b");
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
}

TEST(KeyedQueue, DeadlineEndsTheWaitAndTheNextOneGetsTheTurn) {
  KeyedQueue queue;
  {
    const auto holder = queue.enter(op(), "a");
    const auto late = queue.enter(op(Millis(20)), "a");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::deadline_exceeded);
    EXPECT_EQ(late.error().effect, Effect::none);
  }
  EXPECT_TRUE(queue.enter(op(), "a"));
}

TEST(KeyedQueue, AWaitingCallerCanBeCancelled) {
  KeyedQueue queue;
  const auto holder = queue.enter(op(), "a");
  std::stop_source stop;
  std::atomic<bool> cancelled = false;
  std::jthread waiter([&] {
    const auto turn = queue.enter(op(Millis(10'000), stop.get_token()), "a");
    cancelled = !turn && turn.error().code == Code::cancelled;
  });
  stop.request_stop();
  waiter.join();
  EXPECT_TRUE(cancelled);
}

TEST(KeyedQueue, TryEnterTakesOnlyAFreeKey) {
  KeyedQueue queue;
  {
    const auto holder = queue.try_enter("a");
    EXPECT_TRUE(holder);
    EXPECT_FALSE(queue.try_enter("a"));
  }
  EXPECT_TRUE(queue.try_enter("a"));
}

}  // namespace
}  // namespace volplugin
