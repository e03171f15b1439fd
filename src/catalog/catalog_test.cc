// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include "kv/memory/memory_store.h"
#include "wire/records.h"

#include <deque>

#include <gtest/gtest.h>

namespace volplugin::catalog {
namespace {

// A memory store whose watch says only what the test wants, and whose scan is what the test has queued.
class ScriptedStore final : public kv::Store {
 public:
  using Read = std::function<Result<kv::Page>()>;
  class ScriptedScan final : public kv::Scan {
   public:
    explicit ScriptedScan(std::deque<Read> reads) : reads_(std::move(reads)) {}
    Result<kv::Page> next(const Op&) override {
      const Read read = std::move(reads_.front());
      reads_.pop_front();
      return read();
    }

   private:
    std::deque<Read> reads_;
  };
  std::unique_ptr<kv::Scan> scan(const std::string& prefix) override {
    return reads.empty() ? Store::scan(prefix) : std::make_unique<ScriptedScan>(std::exchange(reads, {}));
  }
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
  std::deque<Read> reads;

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
  kv::Entry entry(const std::string& name, std::uint64_t revision) const {
    return {Codec<model::Node>::kFolder + name, Codec<model::Node>::encode(node(name)), {revision}};
  }
  kv::Event erased(const std::string& name, std::uint64_t revision) const {
    return {Codec<model::Node>::kFolder + name, std::nullopt, {revision}};
  }
  Result<> reopen(std::deque<ScriptedStore::Read> reads, const Catalog::Progress& progress = {}) {
    catalog_.reset();
    store_.reads = std::move(reads);
    auto opened = Catalog::open(op(), store_, progress);
    if (!opened) return opened.error();
    catalog_ = std::move(*opened);
    return {};
  }
  void put_volume(const std::string& name, model::Phase phase) {
    model::Volume volume{*model::parse_volume_id(name), "uid"};
    volume.options.backend = volume.options.pool = "here";
    volume.options.filesystem = "ext4";
    volume.options.size = volume.size = Bytes::gib(1);
    volume.phase = phase;
    Edit edit;
    edit.put(catalog_->volumes, volume);
    ASSERT_TRUE(catalog_->commit(op(), std::move(edit)));
  }
  std::vector<std::string> not_at_rest() const {
    std::vector<std::string> result;
    for (const auto& item : catalog_->volumes.list_not_at_rest()) result.push_back(item->value.id.name());
    return result;
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

TEST_F(CatalogTest, all_pages_are_loaded) {
  constexpr int kPages = 50;
  std::deque<ScriptedStore::Read> reads;
  for (int i = 0; i < kPages; ++i)
    reads.emplace_back(
        [this, i] { return kv::Page{{entry(fmt::format("n{:02}", i), 1)}, i + 1 < kPages, {1}}; });
  std::vector<size_t> told;
  ASSERT_TRUE(reopen(std::move(reads), [&](size_t loaded) { told.push_back(loaded); }));
  EXPECT_EQ(names().size(), size_t(kPages));
  ASSERT_EQ(told.size(), size_t(kPages));
  for (size_t i = 0; i < told.size(); ++i) EXPECT_EQ(told[i], i + 1);
}

TEST_F(CatalogTest, a_page_that_cannot_be_read_is_the_error_of_open) {
  const auto opened = reopen({[this] { return kv::Page{{entry("n1", 1)}, true, {1}}; },
                              [] { return make_error(Code::unavailable, "gone"); }});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::unavailable);
}

TEST_F(CatalogTest, what_the_watch_told_while_loading_is_newer_than_pages) {
  ASSERT_TRUE(reopen({[this] { return kv::Page{{entry("n1", 1)}, true, {5}}; },
                      [this] {
                        store_.deliver({{erased("n2", 6), erased("n1", 7), event("n4", 8)}, {8}, false});
                        return kv::Page{{entry("n2", 2), entry("n3", 3)}, false, {5}};
                      }}));
  EXPECT_EQ(names(), (Names{"n3", "n4"}));
  EXPECT_EQ(catalog_->revision(), 8U);
}

TEST_F(CatalogTest, a_snapshot_while_loading_ends_it) {
  ASSERT_TRUE(reopen({[this] { return kv::Page{{entry("n1", 1)}, true, {5}}; },
                      [this] {
                        store_.deliver({{event("n4", 8)}, {9}, true});
                        return kv::Page{{entry("n2", 2), entry("n3", 3)}, true, {5}};
                      },
                      [] { return make_error(Code::internal, "read on"); }}));
  EXPECT_EQ(names(), Names{"n4"});
}

TEST_F(CatalogTest, texts_of_volumes_are_those_of_the_records) {
  constexpr std::uint64_t kLater = 20;
  const auto text_of = [](const auto& record) { return wire::to_text(record->value, record->revision); };
  put_volume("t/v", model::Phase::creating);
  const auto own = catalog_->volumes.find("t/v");
  EXPECT_EQ(own->text, text_of(own));

  model::Volume changed = own->value;
  changed.message = "changed by another process";
  using Codec = Codec<model::Volume>;
  store_.deliver(
      {{{Codec::kFolder + Codec::name_of(changed), Codec::encode(changed), {kLater}}}, {kLater}, false});
  const auto others = catalog_->volumes.find("t/v");
  EXPECT_EQ(others->value.message, changed.message);
  EXPECT_EQ(others->text, text_of(others));
}

TEST_F(CatalogTest, records_that_are_not_at_rest_are_known) {
  put_volume("t/a", model::Phase::ready);
  put_volume("t/b", model::Phase::creating);
  put_volume("t/c", model::Phase::removing);
  EXPECT_EQ(not_at_rest(), (Names{"t/b", "t/c"}));
  put_volume("t/b", model::Phase::ready);
  put_volume("t/a", model::Phase::failed);
  EXPECT_EQ(not_at_rest(), (Names{"t/a", "t/c"}));
  Edit edit;
  edit.erase(catalog_->volumes, "t/c");
  ASSERT_TRUE(catalog_->commit(op(), std::move(edit)));
  EXPECT_EQ(not_at_rest(), Names{"t/a"});
  ASSERT_TRUE(reopen({}));
  EXPECT_EQ(not_at_rest(), Names{"t/a"});
  store_.deliver({{}, {20}, true});
  EXPECT_EQ(not_at_rest(), Names{});
}

}  // namespace
}  // namespace volplugin::catalog
