// SPDX-License-Identifier: Apache-2.0
// The Ceph that the contract of the backends stands on: what it offers is there.
#include "tests/contract/ceph_cluster.h"

#include <gtest/gtest.h>

namespace volplugin::backend {
namespace {

constexpr Millis kHangs{1'000};

Result<os::Outcome> create(CephCluster& cluster, const std::string& image) {
  return cluster.try_rbd({"create", "--size", "1G", image}, kHangs);
}

TEST(CephCluster, PoolsUsersAndSpace) {
  CephCluster& cluster = shared_ceph();
  const std::string pool = cluster.make_pool("harness"), other = cluster.make_pool("harness-other");
  cluster.rbd({"create", "--size", "1G", pool + "/image"});
  EXPECT_EQ(cluster.rbd({"ls", pool}), "image\n");
  EXPECT_TRUE(cluster.ceph({"df", "--format", "json"}).contains("\"total_bytes\":8589934592,"));
  EXPECT_TRUE(std::filesystem::exists(cluster.add_user("tenant", pool)));
  EXPECT_EQ(cluster.rbd({"-n", "client.tenant", "ls", pool}), "image\n");
  const auto refused = cluster.try_rbd({"-n", "client.tenant", "ls", other}, Millis(30'000));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_TRUE(refused->err.contains("Operation not permitted")) << refused->describe();
  EXPECT_EQ(cluster.blocklist(), std::vector<std::string>{});
  cluster.ceph({"osd", "blocklist", "add", "127.0.0.1:0/12345"});
  EXPECT_EQ(cluster.blocklist(), std::vector<std::string>{"127.0.0.1:0/12345"});
  cluster.ceph({"osd", "blocklist", "rm", "127.0.0.1:0/12345"});
  cluster.remove_pool(pool);
  cluster.remove_pool(other);
}

TEST(CephCluster, PausedAndKilledDaemonsMakeClientsWait) {
  CephCluster cluster;
  cluster.make_pool("pool");
  cluster.osd().pause();
  EXPECT_EQ(create(cluster, "pool/during").error().code, Code::deadline_exceeded);
  cluster.osd().resume();
  cluster.rbd({"create", "--size", "1G", "pool/after"});
  cluster.monitor().kill();
  EXPECT_EQ(create(cluster, "pool/meanwhile").error().code, Code::deadline_exceeded);
  cluster.start_monitor();
  EXPECT_TRUE(cluster.rbd({"ls", "pool"}).contains("after\n"));
  cluster.osd().kill();
  EXPECT_EQ(create(cluster, "pool/never").error().code, Code::deadline_exceeded);
}

}  // namespace
}  // namespace volplugin::backend
