// SPDX-License-Identifier: Apache-2.0
// Several control planes on one store: none knows at once what another one does, and none spoils it.
#include "kv/memory/memory_store.h"
#include "tests/contract/slow_driver.h"
#include "tests/contract/volmaster_contract.h"

#include <future>

namespace volplugin::contract {
namespace {

// Makes an image when it is let go, and takes longer to remove one than there is time.
class SlowStorage final : public service::StorageWork {
 public:
  SlowStorage(service::StorageWork& inner, FakeClock& clock) : inner_(inner), clock_(clock) {}

  std::promise<void> begun, go;

  Result<service::Made> make(const Op& op, const model::Volume& volume) override {
    begun.set_value();
    go.get_future().wait();
    return inner_.make(op, volume);
  }
  Result<> remove(const Op& op, const model::Volume&) override {
    clock_.advance(op.remaining());
    return op.check("removing");
  }

 private:
  service::StorageWork& inner_;
  FakeClock& clock_;
};

class SeveralVolmasters : public ::testing::Test {
 protected:
  struct Plane {
    Plane(kv::Store& store, const executor::Backends& backends, service::StorageWork& storage)
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
  executor::Backends make_backends() {
    executor::Backends backends;
    backends["sim"] = std::make_unique<backend::SimBackend>(cluster_, "host");
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
  void overtake_adoption(bool undo_fails);
  void overtake_snapshot(bool undo_fails);
  size_t stored_snapshots(const model::Volume& of) {
    return must(cluster_->list_snapshots({"pool", of.id.image(), of.uid})).size();
  }
  size_t images() { return must(backends_.at("sim")->list(op_for(), "pool")).size(); }

  // What its lease does when it is not heard of.
  void take_for_gone(const Plane& who_notices) {
    const auto workers = must(store_.list(op_for(), "workers/", "", 10));
    ASSERT_EQ(workers.entries.size(), 1U);
    must(store_.commit(op_for(), {{}, {kv::Erase{workers.entries[0].key}}}));
    ASSERT_TRUE(eventually([&] { return who_notices.catalog->workers.size() == 0; }));
  }

  const backend::ImageKey foreign_{"pool", "t1.v", ""};
  kv::MemoryStore store_;
  std::shared_ptr<backend::SimCluster> cluster_ =
      std::make_shared<backend::SimCluster>(backend::Scope::cluster, Bytes::gib(100));
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
  take_for_gone(b_);
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
  // It was only slow: nobody is told of a volume that is cleared away.
  storage_.release();
  EXPECT_FALSE(first.get());
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
}

TEST_F(SeveralVolmasters, TheImageOfOneThatWasOvertakenIsKnownUntilItIsGone) {
  FakeClock clock;
  SlowStorage slow(storage_, clock);
  Plane slow_one{store_, backends_, slow};
  auto creation = std::async(std::launch::async, [&] {
    const Op op(clock, Millis(60'000), "request", "test");
    return slow_one.control.create_volume(op, {volume("t1/v"), {}, {}});
  });
  slow.begun.get_future().wait();
  ASSERT_TRUE(
      eventually([this] { return b_.catalog->workers.size() == 1 && b_.catalog->volumes.size() == 1; }));
  take_for_gone(b_);
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  slow.go.set_value();
  EXPECT_FALSE(creation.get());
  ASSERT_EQ(images(), 1U) << "it could not be removed in time";
  EXPECT_EQ(must(b_.control.get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::failed);
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  EXPECT_EQ(images(), 0U);
}

// One volmaster adopts an image, is taken for gone by the other, and goes on.
void SeveralVolmasters::overtake_adoption(bool undo_fails) {
  std::string ext2(4096, '\0');
  ext2[1024 + 56] = '\x53', ext2[1024 + 57] = '\xef';
  cluster_->put_foreign("", foreign_, Bytes::mib(6), ext2);
  executor::Backends slow_backends;
  auto made = std::make_unique<SlowDriver>(cluster_);
  SlowDriver& slow = *made;
  slow.undo_fails = undo_fails;
  slow_backends["sim"] = std::move(made);
  Plane slow_one{store_, slow_backends, storage_};
  auto adoption = std::async(std::launch::async,
                             [&] { return slow_one.control.adopt_volume(op_for(), {volume("t1/v"), {}}); });
  slow.begun.get_future().wait();
  ASSERT_TRUE(
      eventually([this] { return b_.catalog->workers.size() == 1 && b_.catalog->volumes.size() == 1; }));
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  EXPECT_EQ(must(b_.control.get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::adopting)
      << "the work of one that is there is nobody's to undo";
  take_for_gone(b_);
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
  slow.go.set_value();  // it was only slow, and takes the image now
  EXPECT_FALSE(adoption.get());
}

TEST_F(SeveralVolmasters, AnAdoptionOfOneThatIsGoneIsUndoneAndStaysSo) {
  overtake_adoption(false);
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
  EXPECT_EQ(cluster_->inspect("", foreign_)->uid, "") << "the image is of a volume that there is not";
  EXPECT_EQ(must(b_.control.adopt_volume(op_for(), {volume("t1/v"), {}}))->value.phase, model::Phase::ready);
}

TEST_F(SeveralVolmasters, AnImageThatCouldNotBeGivenBackIsGivenBackLater) {
  overtake_adoption(true);
  EXPECT_EQ(must(b_.control.get_volume(op_for(), volume("t1/v")))->value.phase, model::Phase::adopting);
  EXPECT_NE(cluster_->inspect("", foreign_)->uid, "");
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  expect_error(b_.control.get_volume(op_for(), volume("t1/v")), Code::not_found);
  EXPECT_EQ(cluster_->inspect("", foreign_)->uid, "");
}

// One volmaster takes a snapshot, is taken for gone by the other, which clears it away, and goes on.
void SeveralVolmasters::overtake_snapshot(bool undo_fails) {
  const auto id = must(model::parse_snapshot_id("t1/v/s"));
  executor::Backends slow_backends;
  auto made = std::make_unique<SlowDriver>(cluster_);
  SlowDriver& slow = *made;
  slow.undo_fails = undo_fails;
  slow_backends["sim"] = std::move(made);
  Plane slow_one{store_, slow_backends, storage_};
  const model::Volume of = must(create(slow_one, "t1/v")).volume->value;
  auto taking = std::async(std::launch::async,
                           [&] { return slow_one.control.take_snapshot(op_for(), {of.id, id.name}); });
  slow.begun.get_future().wait();
  ASSERT_TRUE(eventually([this] { return b_.catalog->snapshots.size() == 1; }));
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  EXPECT_EQ(must(b_.control.get_snapshot(op_for(), id))->value.phase, model::SnapshotPhase::taking)
      << "the work of one that is there is nobody's to undo";
  expect_error(b_.control.take_snapshot(op_for(kShort), {of.id, must(model::SnapshotTag::parse("other"))}),
               Code::busy, {"snapshot 't1/v/s' is taking, by another volmaster"});
  take_for_gone(b_);
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  // Meanwhile the name goes to another one.
  if (!undo_fails) must(b_.control.take_snapshot(op_for(), {of.id, id.name}));
  slow.go.set_value();
  EXPECT_FALSE(taking.get());
  EXPECT_EQ(stored_snapshots(of), 1U);
}

TEST_F(SeveralVolmasters, ASnapshotOfOneThatIsGoneIsClearedAwayAndOneTakenSinceStays) {
  overtake_snapshot(false);
  EXPECT_EQ(must(b_.control.get_snapshot(op_for(), must(model::parse_snapshot_id("t1/v/s"))))->value.phase,
            model::SnapshotPhase::ready);
}

TEST_F(SeveralVolmasters, ASnapshotThatCouldNotBeClearedAwayIsKnownUntilItIs) {
  overtake_snapshot(true);
  const auto id = must(model::parse_snapshot_id("t1/v/s"));
  ASSERT_TRUE(eventually([&] { return b_.catalog->snapshots.size() == 1; }));
  EXPECT_EQ(must(b_.control.get_snapshot(op_for(), id))->value.phase, model::SnapshotPhase::removing);
  EXPECT_TRUE(b_.control.recover_step(op_for()).empty());
  expect_error(b_.control.get_snapshot(op_for(), id), Code::not_found);
  EXPECT_EQ(stored_snapshots(must(b_.control.get_volume(op_for(), id.volume))->value), 0U);
}

}  // namespace
}  // namespace volplugin::contract
