// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster about tenants, and about the server as a whole.
#include "tests/contract/volmaster_contract.h"

namespace volplugin::contract {
namespace {

TEST_P(VolmasterContract, TenantIsReadBackAsItWasPut) {
  const auto stored = upload("t1", [](model::Tenant& policy) {
    policy.defaults.filesystem = "xfs";
    policy.defaults.snapshots = true;
    policy.defaults.snapshot_frequency = std::chrono::minutes(90);
    policy.defaults.snapshot_keep = 20;
    policy.defaults.write_iops = 1000;
    policy.defaults.pool = "gold";
  });
  const auto read = must(master().get_tenant(op_for(), tenant("t1")));
  EXPECT_GT(read->revision, 0U);
  EXPECT_EQ(read->revision, stored->revision);
  EXPECT_EQ(read->value.name, tenant("t1"));
  EXPECT_EQ(read->value.defaults, stored->value.defaults);
  EXPECT_EQ(read->value.defaults.snapshot_frequency, std::chrono::minutes(90));
  EXPECT_EQ(read->value.filesystems, stored->value.filesystems);
  EXPECT_EQ(read->value.filesystems.at("xfs"), "mkfs.xfs %");
}

TEST_P(VolmasterContract, TenantWithoutFilesystemsGetsExt4) {
  const auto stored = upload("t1", [](model::Tenant& policy) { policy.filesystems.clear(); });
  EXPECT_EQ(stored->value.filesystems, (std::map<std::string, std::string>{{"ext4", "mkfs.ext4 -m0 %"}}));
}

TEST_P(VolmasterContract, TenantWithABadPolicyIsRefused) {
  model::Tenant policy{tenant("t1"), {}, {}};
  expect_error(master().put_tenant(op_for(), policy, std::nullopt), Code::invalid_argument,
               {"tenant 't1'", "default-options.size"});
  policy.defaults.size = Bytes::mib(10);
  policy.defaults.backend = "floppy";
  expect_error(master().put_tenant(op_for(), policy, std::nullopt), Code::invalid_argument,
               {"default-options.backend", "'floppy'"});
  policy.defaults.backend = "sim";
  policy.defaults.pool = "../x";
  expect_error(master().put_tenant(op_for(), policy, std::nullopt), Code::invalid_argument,
               {"default-options.pool"});
  policy.defaults.pool.reset();
  policy.defaults.filesystem = "zfs";
  expect_error(master().put_tenant(op_for(), policy, std::nullopt), Code::invalid_argument,
               {"default-options.filesystem", "'zfs'", "ext4"});
  expect_error(master().get_tenant(op_for(), tenant("t1")), Code::not_found, {"'t1'"});
}

TEST_P(VolmasterContract, TenantIsReplacedOnlyAtTheExpectedRevision) {
  const auto first = upload("t1");
  model::Tenant policy = first->value;
  policy.defaults.size = Bytes::mib(20);
  expect_error(master().put_tenant(op_for(), policy, 0), Code::conflict, {"'t1'", "read it again"});
  expect_error(master().put_tenant(op_for(), policy, first->revision + 1000), Code::conflict, {"'t1'"});
  const auto second = must(master().put_tenant(op_for(), policy, first->revision));
  EXPECT_GT(second->revision, first->revision);
  expect_error(master().put_tenant(op_for(), policy, first->revision), Code::conflict);
  EXPECT_EQ(must(master().get_tenant(op_for(), tenant("t1")))->value.defaults.size, Bytes::mib(20));
  policy.name = tenant("t2");
  expect_error(master().put_tenant(op_for(), policy, first->revision), Code::conflict, {"'t2'"});
  EXPECT_TRUE(master().put_tenant(op_for(), policy, 0));
}

TEST_P(VolmasterContract, TenantIsDeletedOnlyAtTheExpectedRevision) {
  const auto first = upload("t1");
  const auto second = upload("t1");
  expect_error(master().delete_tenant(op_for(), tenant("t1"), first->revision), Code::conflict, {"'t1'"});
  expect_error(master().delete_tenant(op_for(), tenant("t1"), 0), Code::conflict);
  EXPECT_TRUE(master().delete_tenant(op_for(), tenant("t1"), second->revision));
  expect_error(master().delete_tenant(op_for(), tenant("t1"), std::nullopt), Code::not_found,
               {"'t1'", "volcli tenant upload"});
  expect_error(master().get_tenant(op_for(), tenant("t1")), Code::not_found, {"'t1'"});
}

TEST_P(VolmasterContract, DeletedTenantLeavesItsVolumes) {
  upload("t1");
  must(create("t1/v"));
  must(master().delete_tenant(op_for(), tenant("t1"), std::nullopt));
  EXPECT_TRUE(master().get_volume(op_for(), volume("t1/v")));
  expect_error(create("t1/w"), Code::not_found, {"'t1'"});
  EXPECT_TRUE(master().remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data));
}

TEST_P(VolmasterContract, TenantsAreListedInPages) {
  for (const auto* name : {"d", "b", "e", "a", "c"}) upload(name);
  service::ListQuery query{.tenant = "", .after = "", .limit = 2};
  std::string names;
  for (int pages = 0; pages < 3; ++pages) {
    const auto page = must(master().list_tenants(op_for(), query));
    EXPECT_GT(page.revision, 0U);
    for (const auto& item : page.items) names += item->value.name.str();
    EXPECT_EQ(page.next.empty(), pages == 2);
    query.after = page.next;
  }
  EXPECT_EQ(names, "abcde");
  query = {.tenant = "", .after = "bb", .limit = 1000};
  EXPECT_EQ(must(master().list_tenants(op_for(), query)).items.size(), 3U);
  query.after = "zz";
  EXPECT_TRUE(must(master().list_tenants(op_for(), query)).items.empty());
}

TEST_P(VolmasterContract, PageOfExactlyTheLimitIsTheLast) {
  upload("a");
  upload("b");
  const auto page = must(master().list_tenants(op_for(), {.tenant = "", .after = "", .limit = 2}));
  EXPECT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.next, "");
}

TEST_P(VolmasterContract, EmptyServerHasEmptyLists) {
  EXPECT_TRUE(must(master().list_tenants(op_for(), {})).items.empty());
  EXPECT_TRUE(must(master().list_volumes(op_for(), {})).items.empty());
  EXPECT_TRUE(must(master().list_mounts(op_for(), {})).items.empty());
  EXPECT_TRUE(must(master().list_nodes(op_for(), {})).items.empty());
  EXPECT_TRUE(must(master().list_operations(op_for())).empty());
}

TEST_P(VolmasterContract, HealthSaysWhatIsServed) {
  const auto health = must(master().health(op_for()));
  EXPECT_TRUE(health.ok);
  EXPECT_EQ(health.store, "ok");
  EXPECT_EQ(health.version, "1.2.3");
}

TEST_P(VolmasterContract, ChangeAfterTheDeadlineDoesNothing) {
  upload("t1");
  const Op late = op_for(Millis(0));
  expect_error(master().create_volume(late, {volume("t1/v"), {}, {}}), Code::deadline_exceeded);
  expect_error(master().remove_volume(late, volume("t1/v"), service::RemoveMode::delete_data),
               Code::deadline_exceeded);
  EXPECT_EQ(storage().makes(), 0);
}

}  // namespace
}  // namespace volplugin::contract
