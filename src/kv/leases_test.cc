// SPDX-License-Identifier: Apache-2.0
#include "kv/leases.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace volplugin::kv {
namespace {

constexpr Millis kTtl{2'000};

template <class Condition>
bool within_patience(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + Millis(20'000);
  while (!condition() && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(Millis(5));
  return condition();
}

TEST(Leases, one_that_cannot_end_yet_is_tried_again_and_cannot_be_renewed) {
  FakeClock clock;
  std::atomic<bool> disk_full = true;
  std::atomic<int> tries = 0;
  Leases leases(clock, [&](LeaseId) -> Result<> {
    ++tries;
    if (disk_full) return make_error(Code::resource_exhausted, "full");
    return {};
  });
  leases.add({1}, kTtl);
  EXPECT_EQ(*leases.renew({1}), kTtl);
  clock.advance(kTtl);
  ASSERT_TRUE(within_patience([&] { return tries >= 2; }));
  EXPECT_EQ(leases.renew({1}).error().code, Code::not_found);
  disk_full = false;
  const int before = tries;
  ASSERT_TRUE(within_patience([&] { return tries > before; }));
  leases.stop();
}

TEST(Leases, renewed_and_forgotten_ones_do_not_end) {
  FakeClock clock;
  std::atomic<std::uint64_t> ended = 0;
  Leases leases(clock, [&](LeaseId lease) -> Result<> {
    ended = lease.value;
    return {};
  });
  for (const std::uint64_t id : {1, 2, 3}) leases.add({id}, kTtl);
  clock.advance(kTtl - Millis(1));
  EXPECT_TRUE(leases.renew({1}));
  leases.forget({2});
  EXPECT_FALSE(leases.renew({2}));
  clock.advance(Millis(1));
  ASSERT_TRUE(within_patience([&] { return ended == 3; }));
  EXPECT_TRUE(leases.renew({1}));
}

}  // namespace
}  // namespace volplugin::kv
