// SPDX-License-Identifier: Apache-2.0
// Faults and crashes of the simulator; the contract is tested in tests/contract.
#include "backend/sim/sim_backend.h"

#include <thread>

#include <gtest/gtest.h>

namespace volplugin::backend {
namespace {

const ImageKey kKey{"pool", "t.v", "uid"};

class SimBackendTest : public testing::Test {
 protected:
  Op make_op(std::stop_token stop = {}) const {
    return Op(clock_, Millis(1000), "test", "test", std::move(stop));
  }

  FakeClock clock_;
  std::shared_ptr<SimCluster> cluster_ = std::make_shared<SimCluster>(Scope::cluster, Bytes::gib(1));
  SimBackend backend_{cluster_, "host1"};
  SimBackend other_{cluster_, "host2"};
};

TEST_F(SimBackendTest, FailBeforeDoesNothingOnce) {
  backend_.fail_before(SimCall::ensure);
  const auto failed = backend_.ensure(make_op(), kKey, Bytes::mib(1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_EQ(failed.error().effect, Effect::none);
  EXPECT_EQ(backend_.ensure(make_op(), kKey, Bytes::mib(1))->what, Ensured::created);
}

TEST_F(SimBackendTest, ActThenFailHasActed) {
  backend_.act_then_fail(SimCall::ensure);
  const auto failed = backend_.ensure(make_op(), kKey, Bytes::mib(1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().effect, Effect::unknown);
  EXPECT_EQ(backend_.ensure(make_op(), kKey, Bytes::mib(1))->what, Ensured::already_there);
}

TEST_F(SimBackendTest, FaultsHitTheirCallInOrder) {
  backend_.fail_before(SimCall::remove);
  backend_.act_then_fail(SimCall::remove);
  ASSERT_TRUE(backend_.ensure(make_op(), kKey, Bytes::mib(1)));
  EXPECT_EQ(backend_.remove(make_op(), kKey).error().effect, Effect::none);
  EXPECT_EQ(backend_.remove(make_op(), kKey).error().effect, Effect::unknown);
  EXPECT_EQ(*backend_.remove(make_op(), kKey), Removed::already_gone);
}

TEST_F(SimBackendTest, HangsUntilTheDeadlineOrTheStop) {
  backend_.hang_until_deadline(SimCall::list);
  std::jthread mover([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      clock_.advance(Millis(10));
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(backend_.list(make_op(), "pool").error().code, Code::deadline_exceeded);
  mover = {};
  backend_.hang_until_deadline(SimCall::attach);
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  EXPECT_EQ(backend_.attach(make_op(source.get_token()), kKey).error().code, Code::cancelled);
  EXPECT_TRUE(cluster_->attached_hosts("host1", kKey).empty());
}

TEST_F(SimBackendTest, CrashOfAHostDropsItsDevicesOnly) {
  ASSERT_TRUE(backend_.ensure(make_op(), kKey, Bytes::mib(1)));
  auto here = *backend_.attach(make_op(), kKey);
  auto mounted = *cluster_->use_device("host1", here->device());
  const auto there = *other_.attach(make_op(), kKey);
  EXPECT_EQ(cluster_->attached_hosts("host1", kKey), (std::vector<std::string>{"host1", "host2"}));
  cluster_->crash_host("host1");
  EXPECT_EQ(cluster_->attached_hosts("host1", kKey), std::vector<std::string>{"host2"});
  // The name is used again; what is left of the old life must not touch the new device.
  const auto again = *backend_.attach(make_op(), kKey);
  EXPECT_EQ(again->device(), here->device());
  here.reset();
  mounted.reset();
  EXPECT_EQ(cluster_->attached_hosts("host1", kKey), (std::vector<std::string>{"host1", "host2"}));
  EXPECT_EQ(cluster_->use_device("host1", "/dev/sim9").error().code, Code::not_found);
}

TEST_F(SimBackendTest, LocalImagesAreInvisibleElsewhere) {
  const auto local = std::make_shared<SimCluster>(Scope::host_local, Bytes::gib(1));
  SimBackend one(local, "host1"), two(local, "host2");
  ASSERT_TRUE(one.ensure(make_op(), kKey, Bytes::mib(1)));
  EXPECT_FALSE(two.inspect(make_op(), kKey)->has_value());
  EXPECT_EQ(two.ensure(make_op(), kKey, Bytes::mib(2))->what, Ensured::created);
}

}  // namespace
}  // namespace volplugin::backend
