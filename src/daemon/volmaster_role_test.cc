// SPDX-License-Identifier: Apache-2.0
#include "daemon/volmaster_role.h"

#include "catalog/codec.h"
#include "kv/memory/memory_store.h"

#include <gtest/gtest.h>

namespace volplugin::daemon {
namespace {

constexpr Millis kSlowPage{25'000};
constexpr int kPages = 20;

// Each page of its scan has one node and takes a while.
class SlowStore final : public kv::Store {
 public:
  explicit SlowStore(FakeClock& clock) : clock_(clock) {}
  class SlowScan final : public kv::Scan {
   public:
    explicit SlowScan(FakeClock& clock) : clock_(clock) {}
    Result<kv::Page> next(const Op& op) override {
      clock_.advance(kSlowPage);
      TRY(op.check("reading a page"));
      const std::string name = fmt::format("n{:02}", ++pages_);
      using Codec = catalog::Codec<model::Node>;
      const model::Node node{*model::NodeTag::parse(name)};
      return kv::Page{{{Codec::kFolder + name, Codec::encode(node), {1}}}, pages_ < kPages, {1}};
    }

   private:
    FakeClock& clock_;
    int pages_ = 0;
  };

  std::unique_ptr<kv::Scan> scan(const std::string&) override { return std::make_unique<SlowScan>(clock_); }
  Result<std::optional<kv::Entry>> get(const Op& op, const std::string& key) override {
    return inner_.get(op, key);
  }
  Result<kv::Page> list(const Op& op, const std::string& prefix, const std::string& after,
                        size_t limit) override {
    return inner_.list(op, prefix, after, limit);
  }
  Result<kv::Revision> commit(const Op& op, const kv::Txn& txn) override { return inner_.commit(op, txn); }
  Result<std::unique_ptr<kv::Watch>> watch(const std::string& prefix, kv::Revision from,
                                           std::function<void(const kv::WatchBatch&)> on_batch) override {
    return inner_.watch(prefix, from, std::move(on_batch));
  }
  Result<kv::Revision> revision(const Op& op) override { return inner_.revision(op); }
  Result<kv::LeaseId> grant(const Op& op, Millis ttl) override { return inner_.grant(op, ttl); }
  Result<Millis> keep_alive(const Op& op, kv::LeaseId lease) override { return inner_.keep_alive(op, lease); }
  Result<> revoke(const Op& op, kv::LeaseId lease) override { return inner_.revoke(op, lease); }

 private:
  FakeClock& clock_;
  kv::MemoryStore inner_;
};

TEST(VolmasterRoleTest, loading_may_take_long_while_records_keep_coming) {
  FakeClock clock;
  CommonSettings common;
  common.backend = "sim";
  common.default_pools["sim"] = "default";
  VolmasterRole::Request request{common};
  request.store = {"slow", false, [&clock](const Clock&) -> Result<std::unique_ptr<kv::Store>> {
                     return std::make_unique<SlowStore>(clock);
                   }};
  const auto role = VolmasterRole::open(request, clock);
  ASSERT_TRUE(role) << role.error().message;
  const Op op(clock, Millis(1'000), "r", "test");
  EXPECT_EQ((*role)->control().list_nodes(op, {.tenant = "", .after = ""})->items.size(), size_t(kPages));
}

}  // namespace
}  // namespace volplugin::daemon
