// SPDX-License-Identifier: Apache-2.0
// Two control planes on one store, as two volmasters on one etcd: neither clears away what the other one
// does.
#include "kv/memory/memory_store.h"
#include "tests/contract/volmaster_contract.h"

#include <future>

namespace volplugin::contract {
namespace {

// One host's storage: one image, or none. Each step waits until it is let go.
class Gated final : public service::StorageWork {
 public:
  Result<service::Made> make(const Op& op, const model::Volume& volume) override {
    TRY(pass(op, make_));
    image_ = volume.uid;
    return service::Made{volume.size, "ext4"};
  }
  Result<> remove(const Op& op, const model::Volume& volume) override {
    TRY(pass(op, remove_));
    if (image() == volume.uid) image_.clear();
    return {};
  }
  struct Gate {
    std::promise<void> begun;
    std::promise<void> open;
  };
  Gate make_, remove_;
  std::string image() const { return image_; }

 private:
  static Result<> pass(const Op& op, Gate& gate) {
    gate.begun.set_value();
    if (gate.open.get_future().wait_for(op.remaining()) == std::future_status::ready) return {};
    return make_error(Code::deadline_exceeded, "held");
  }
  std::string image_;
};

struct Plane {
  Plane(kv::Store& store, service::StorageWork& storage, Millis others_at_work)
      : catalog(must(catalog::Catalog::open(op_for(), store))),
        control({*catalog, backends, storage, tasks, system_clock()},
                {.defaults = {.backend = "sim", .pools = {{"sim", "pool"}}},
                 .local_node = node("here"),
                 .version = "1",
                 .store = "",
                 .others_at_work = others_at_work}) {}

  static executor::Backends sim() {
    executor::Backends backends;
    backends["sim"] = std::make_unique<backend::SimBackend>(
        std::make_shared<backend::SimCluster>(backend::Scope::cluster, Bytes::gib(1)), "host");
    return backends;
  }
  bool knows(std::string_view name) { return control.get_volume(op_for(), volume(name)).has_value(); }

  executor::Backends backends = sim();
  std::unique_ptr<catalog::Catalog> catalog;
  control::TaskQueue tasks{system_clock()};
  control::ControlPlane control;
};

class SharedStore : public ::testing::Test {
 protected:
  SharedStore() {
    model::Tenant policy{tenant("t"), {}, {{"ext4", "mkfs.ext4 %"}}};
    policy.defaults.size = Bytes::mib(10);
    must(first_.control.put_tenant(op_for(), policy, std::nullopt));
    made_ = std::async(std::launch::async,
                       [this] { return first_.control.create_volume(op_for(), {volume("t/v"), {}, {}}); });
    storage_.make_.begun.get_future().wait();
    EXPECT_TRUE(eventually([this] { return second_.knows("t/v"); }));
  }

  Gated storage_;
  kv::MemoryStore store_;
  Plane first_{store_, storage_, Millis(0)};
  Plane second_{store_, storage_, Millis(60'000)};
  std::future<Result<service::CreateOutcome>> made_;
};

TEST_F(SharedStore, RecoveryLeavesAloneWhatAnotherOneMakes) {
  EXPECT_TRUE(second_.control.recover_step(op_for()).empty());
  EXPECT_TRUE(second_.knows("t/v"));
  storage_.make_.open.set_value();
  const auto made = must(made_.get());
  EXPECT_EQ(made.volume->value.phase, model::Phase::ready);
  EXPECT_EQ(storage_.image(), made.volume->value.uid);
}

// The second one clears away what the first one makes, which is done before the image is deleted.
TEST_F(SharedStore, WhatIsClearedAwayIsNotAcknowledged) {
  auto removed = std::async(std::launch::async, [this] {
    return second_.control.remove_volume(op_for(), volume("t/v"), service::RemoveMode::delete_data);
  });
  storage_.remove_.begun.get_future().wait();
  storage_.make_.open.set_value();
  expect_error(made_.get(), Code::conflict);
  EXPECT_FALSE(storage_.image().empty());
  storage_.remove_.open.set_value();
  must(removed.get());
  EXPECT_EQ(storage_.image(), "");
  EXPECT_FALSE(second_.knows("t/v"));
  EXPECT_TRUE(eventually([this] { return !first_.knows("t/v"); }));
}

}  // namespace
}  // namespace volplugin::contract
