// SPDX-License-Identifier: Apache-2.0
#include "http/handler_pool.h"

#include "http/raw_socket_for_test.h"

#include <algorithm>

namespace volplugin::http {
namespace {

using namespace test;

TEST(HandlerPoolTest, RunsOnAtMostSoManyThreads) {
  std::mutex mutex;
  std::vector<std::thread::id> threads;
  std::atomic<int> done = 0;
  HandlerPool pool(3, 1000);
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(pool.submit([&] {
      const std::lock_guard lock(mutex);
      if (std::ranges::find(threads, std::this_thread::get_id()) == threads.end())
        threads.push_back(std::this_thread::get_id());
      ++done;
    }));
  }
  EXPECT_TRUE(eventually([&] { return done == 500; }));
  EXPECT_LE(threads.size(), 3U);
}

TEST(HandlerPoolTest, RefusesWhatDoesNotFit) {
  Gate gate;
  HandlerPool pool(1, 1);
  EXPECT_TRUE(pool.submit([&] { gate.pass(); }));
  EXPECT_TRUE(pool.submit([] {}));
  HandlerPool::Task third = [] {};
  EXPECT_FALSE(pool.submit(std::move(third)));
  EXPECT_TRUE(third != nullptr);  // NOLINT(bugprone-use-after-move): untouched by contract
  gate.open();
}

TEST(HandlerPoolTest, StopDropsTheQueueAndWaits) {
  std::latch entered(1);
  std::atomic<bool> finished = false;
  auto token = std::make_shared<int>(1);
  const std::weak_ptr<int> dropped = token;
  HandlerPool pool(1, 4);
  EXPECT_TRUE(pool.submit([&] {
    entered.count_down();
    finished = eventually([&] { return dropped.expired(); });
  }));
  entered.wait();
  EXPECT_TRUE(pool.submit([kept = std::move(token)] { FAIL() << "must not run"; }));
  pool.stop();
  EXPECT_TRUE(finished);
  EXPECT_TRUE(dropped.expired());
  EXPECT_FALSE(pool.submit([] {}));
}

}  // namespace
}  // namespace volplugin::http
