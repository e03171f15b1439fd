// SPDX-License-Identifier: Apache-2.0
// Several control planes on one store: none knows at once what another one does, and none spoils it.
#include "kv/memory/memory_store.h"
#include "tests/contract/volmaster_contract.h"

#include <future>

namespace volplugin::contract {
namespace {

class SeveralVolmasters : public ::testing::Test {
 protected:
  struct Plane {
    Plane(kv::Store& store, const executor::Backends& backends, ScriptedStorage& storage)
        : catalog(must(catalog::Catalog::open(op_for(), store))),
          control({*catalog, backends, storage, tasks, system_clock()},
                  {.defaults = {.backend = "sim", .pools = {{"sim", "pool"}}}, .alone = false}) {}
    control::TaskQueue tasks{system_clock()};
    std::unique_ptr<catalog::Catalog> catalog;
    control::ControlPlane control;
  };

  SeveralVolmasters() {
    model::Tenant policy{tenant("t1"), {}, {}};
    policy.defaults.size = Bytes::mib(10);
    must(a_.control.put_tenant(op_for(), policy, {}));
  }
  static executor::Backends make_backends() {
    executor::Backends backends;
    backends["sim"] = std::make_unique<backend::SimBackend>(
        std::make_shared<backend::SimCluster>(backend::Scope::cluster, Bytes::gib(100)), "host");
    return backends;
  }
  static Result<service::CreateOutcome> create(Plane& plane, std::string_view name) {
    return plane.control.create_volume(op_for(), {volume(name), {}, {}});
  }
  static Result<model::Record<model::Mount>> acquire(Plane& plane, const std::string& on_node) {
    const auto session = must(plane.control.open_session(op_for(), {{node(on_node)}, on_node}));
    return plane.control.acquire_mount(
        op_for(), {volume("t1/v"), node(on_node), session->value.id, "claim", "/mnt", use("u")});
  }
  size_t images() { return must(backends_.at("sim")->list(op_for(), "pool")).size(); }

  kv::MemoryStore store_;
  executor::Backends backends_ = make_backends();
  ScriptedStorage storage_{backends_};
  Plane a_{store_, backends_, storage_}, b_{store_, backends_, storage_};
};

TEST_F(SeveralVolmasters, WhatOneDidTheOtherGoesOnWith) {
  for (int round = 0; round < 50; ++round) {
    must(create(a_, "t1/v"));
    must(acquire(b_, "n1"));
    must(a_.control.release_mount(op_for(), {volume("t1/v"), node("n1"), "claim"}));
    must(acquire(b_, "n2"));
    expect_error(acquire(a_, "n1"), Code::conflict, {"'n2'"});
    must(b_.control.release_mount(op_for(), {volume("t1/v"), node("n2"), "claim"}));
    must(a_.control.remove_volume(op_for(), volume("t1/v"), service::RemoveMode::delete_data));
    EXPECT_EQ(images(), 0U);
  }
}

TEST_F(SeveralVolmasters, OneOfManyNodesWins) {
  must(create(a_, "t1/v"));
  for (int round = 0; round < 50; ++round) {
    std::vector<std::future<bool>> tries;
    for (const auto* name : {"n1", "n2", "n3", "n4"})
      tries.push_back(std::async(std::launch::async, [this, name, &plane = *name % 2 == 0 ? a_ : b_] {
        return acquire(plane, name).has_value();
      }));
    int winners = 0;
    for (auto& one : tries) winners += one.get() ? 1 : 0;
    EXPECT_EQ(winners, 1);
    const auto held = must(a_.control.get_mount(op_for(), volume("t1/v")));
    must(b_.control.release_mount(op_for(), {volume("t1/v"), held->value.node, "claim"}));
  }
}

TEST_F(SeveralVolmasters, OneNameIsMadeOnce) {
  storage_.hold();
  auto first = std::async(std::launch::async, [this] { return create(a_, "t1/v"); });
  ASSERT_TRUE(eventually([this] { return storage_.waiting() == 1; }));
  auto second = std::async(std::launch::async, [this] { return create(b_, "t1/v"); });
  // The work of one that is there is nobody's to clear away.
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  EXPECT_EQ(must(b_.control.get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::creating);
  storage_.release();
  const auto one = must(first.get()), other = must(second.get());
  EXPECT_EQ(one.volume->value.uid, other.volume->value.uid);
  EXPECT_TRUE(one.created);
  EXPECT_FALSE(other.created);
  EXPECT_EQ(storage_.makes(), 1);
  EXPECT_EQ(images(), 1U);
}

TEST_F(SeveralVolmasters, TheWorkOfOneThatIsGoneIsTakenOver) {
  storage_.hold();
  auto first = std::async(std::launch::async, [this] { return create(a_, "t1/v"); });
  ASSERT_TRUE(eventually([this] { return storage_.waiting() == 1; }));
  ASSERT_TRUE(
      eventually([this] { return b_.catalog->workers.size() == 1 && b_.catalog->volumes.size() == 1; }));
  // What its lease does when it is not heard of.
  const auto workers = must(store_.list(op_for(), "workers/", "", 10));
  ASSERT_EQ(workers.entries.size(), 1U);
  must(store_.commit(op_for(), {{}, {kv::Erase{workers.entries[0].key}}}));
  ASSERT_TRUE(eventually([this] { return b_.catalog->workers.size() == 0; }));
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
  // It was only slow: nobody is told of a volume that is cleared away.
  storage_.release();
  EXPECT_FALSE(first.get());
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
}

}  // namespace
}  // namespace volplugin::contract
