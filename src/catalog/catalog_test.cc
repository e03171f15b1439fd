// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include "kv/memory/memory_store.h"

#include <gtest/gtest.h>

namespace volplugin::catalog {
namespace {

// A memory store whose watch says only what the test wants.
class ScriptedStore final : public kv::Store {
 public:
  Result<std::optional<kv::Entry>> get(const Op& op, const std::string& key) override {
    return inner_.get(op, key);
  }
  Result<kv::Page> list(const Op& op, const std::string& prefix, const std::string& after,
                        size_t limit) override {
    return inner_.list(op, prefix, after, limit);
  }
  Result<kv::Revision> commit(const Op& op, const kv::Txn& txn) override { return inner_.commit(op, txn); }
  Result<std::unique_ptr<kv::Watch>> watch(const std::string&, kv::Revision,
                                           std::function<void(const kv::WatchBatch&)> on_batch) override {
    deliver = std::move(on_batch);
    return std::unique_ptr<kv::Watch>();
  }
  Result<kv::Revision> revision(const Op& op) override { return inner_.revision(op); }
  Result<kv::LeaseId> grant(const Op& op, Millis ttl) override { return inner_.grant(op, ttl); }
  Result<Millis> keep_alive(const Op& op, kv::LeaseId lease) override { return inner_.keep_alive(op, lease); }
  Result<> revoke(const Op& op, kv::LeaseId lease) override { return inner_.revoke(op, lease); }

  std::function<void(const kv::WatchBatch&)> deliver;

 private:
  kv::MemoryStore inner_;
};

class CatalogTest : public testing::Test {
 protected:
  Op op() const { return Op(system_clock(), Millis(10'000), "r", "test"); }
  model::Node node(const std::string& name) const {
    model::Node made{*model::NodeTag::parse(name)};
    made.version = "1";
    return made;
  }
  void put(const std::string& name) {
    Edit edit;
    edit.put(catalog_->nodes, node(name));
    ASSERT_TRUE(catalog_->commit(op(), std::move(edit)));
  }
  kv::Event event(const std::string& name, std::uint64_t revision) const {
    return {Codec<model::Node>::kFolder + name, Codec<model::Node>::encode(node(name)), {revision}};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& item : catalog_->nodes.list("", "", 100).items) result.push_back(item->value.name.str());
    return result;
  }
  using Names = std::vector<std::string>;

  ScriptedStore store_;
  std::unique_ptr<Catalog> catalog_ = std::move(*Catalog::open(op(), store_));
};

TEST_F(CatalogTest, a_snapshot_replaces_what_was_known) {
  put("n1");  // revision 1
  put("n2");
  store_.deliver({{event("n2", 2), event("n3", 7)}, {9}, true});
  EXPECT_EQ(names(), (Names{"n2", "n3"}));
  EXPECT_EQ(catalog_->revision(), 9U);
  store_.deliver({{}, {12}, true});
  EXPECT_EQ(names(), Names{});
}

TEST_F(CatalogTest, own_commits_newer_than_a_snapshot_stay) {
  put("n1");
  put("n2");
  put("n3");
  store_.deliver({{event("n1", 1)}, {2}, true});
  EXPECT_EQ(names(), (Names{"n1", "n3"}));
}

TEST_F(CatalogTest, a_store_that_went_back_is_believed) {
  put("n1");
  store_.deliver({{event("n1", 50)}, {50}, false});
  store_.deliver({{event("n2", 20)}, {30}, true});
  EXPECT_EQ(names(), Names{"n2"});
}

TEST_F(CatalogTest, batches_that_are_no_snapshots_leave_the_rest) {
  put("n1");
  store_.deliver({{event("n2", 2)}, {2}, false});
  EXPECT_EQ(names(), (Names{"n1", "n2"}));
}

TEST_F(CatalogTest, an_observer_is_told_from_now_on) {
  put("n1");
  store_.deliver({{event("n1", 1)}, {1}, false});
  std::vector<kv::WatchBatch> told;
  catalog_->observe([&](const kv::WatchBatch& batch) {
    for (const auto& one : batch.events) EXPECT_TRUE(catalog_->nodes.find(one.key.substr(6)));
    told.push_back(batch);
  });
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].snapshot);
  EXPECT_EQ(told[0].revision, kv::Revision{1});
  put("n2");  // told by the watch only
  EXPECT_EQ(told.size(), 1U);
  store_.deliver({{event("n2", 2)}, {2}, false});
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].events.size(), 1U);
  catalog_->observe({});
  store_.deliver({{event("n2", 3)}, {3}, false});
  EXPECT_EQ(told.size(), 2U);
}

}  // namespace
}  // namespace volplugin::catalog
