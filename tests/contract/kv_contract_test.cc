// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/kv_contract.h"

#include "kv/memory/memory_store.h"
#include "kv/sqlite/sqlite_store.h"
#include "tests/contract/etcd_server.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace volplugin::kv::test {
namespace {

using Strings = std::vector<std::string>;

std::vector<StoreKind> kinds() {
  return {
      {"Memory",
       [](const TestDirectory&, HistoryPolicy policy, const Clock& clock) -> std::unique_ptr<Store> {
         return std::make_unique<MemoryStore>(policy, clock);
       }},
      {"Sqlite",
       [](const TestDirectory& directory, HistoryPolicy policy,
          const Clock& clock) -> std::unique_ptr<Store> {
         return must(SqliteStore::open(directory / "store.db", clock, policy));
       }},
      {"Etcd",
       [](const TestDirectory&, HistoryPolicy policy, const Clock&) -> std::unique_ptr<Store> {
         return shared_etcd().open_store(policy);
       },
       false},
  };
}

INSTANTIATE_TEST_SUITE_P(Stores, KvContract, testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(KvContract, a_new_store_is_empty) {
  EXPECT_EQ(revision(), at(0));
  EXPECT_EQ(get("key"), std::nullopt);
  const Page page = list("");
  EXPECT_TRUE(page.entries.empty());
  EXPECT_FALSE(page.more);
}

TEST_P(KvContract, what_was_put_is_there) {
  EXPECT_EQ(put("key", "one"), at(1));
  const auto entry = get("key");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->key, "key");
  EXPECT_EQ(entry->value, "one");
  EXPECT_EQ(entry->revision, at(1));
}

TEST_P(KvContract, each_changing_commit_adds_one_revision) {
  EXPECT_EQ(put("a"), at(1));
  EXPECT_EQ(put("b"), at(2));
  EXPECT_EQ(put("a"), at(3));  // the same value is a change, too
  EXPECT_EQ(erase("b"), at(4));
  EXPECT_EQ(revision(), at(4));
  EXPECT_EQ(get("a")->revision, at(3));
}

TEST_P(KvContract, a_commit_without_a_change_keeps_the_revision) {
  put("a");
  EXPECT_EQ(erase("absent"), at(1));
  EXPECT_EQ(must(store_->commit(make_op(), {})), at(1));
  EXPECT_EQ(must(store_->commit(make_op(), {{AtRevision{"a", at(1)}}, {}})), at(1));
  EXPECT_EQ(revision(), at(1));
}

TEST_P(KvContract, all_entries_of_a_transaction_share_its_revision) {
  put("old");
  EXPECT_EQ(must(store_->commit(make_op(), {{}, {Put{"a", "1"}, Erase{"old"}, Put{"b", "2"}}})), at(2));
  EXPECT_EQ(get("a")->revision, at(2));
  EXPECT_EQ(get("b")->revision, at(2));
  EXPECT_EQ(get("old"), std::nullopt);
}

TEST_P(KvContract, an_absent_guard_holds_only_for_absent_keys) {
  EXPECT_EQ(must(store_->commit(make_op(), {{Absent{"a"}}, {Put{"a", "1"}}})), at(1));
  expect_error(store_->commit(make_op(), {{Absent{"a"}}, {Put{"a", "2"}}}), Code::conflict);
  EXPECT_EQ(value_of("a"), "1");
  erase("a");
  EXPECT_EQ(must(store_->commit(make_op(), {{Absent{"a"}}, {Put{"a", "3"}}})), at(3));
}

TEST_P(KvContract, a_revision_guard_holds_only_for_the_last_change) {
  put("a", "1");
  put("a", "2");
  expect_error(store_->commit(make_op(), {{AtRevision{"a", at(1)}}, {Put{"a", "x"}}}), Code::conflict);
  expect_error(store_->commit(make_op(), {{AtRevision{"a", at(3)}}, {Put{"a", "x"}}}), Code::conflict);
  expect_error(store_->commit(make_op(), {{AtRevision{"b", at(1)}}, {Put{"a", "x"}}}), Code::conflict);
  EXPECT_EQ(value_of("a"), "2");
  EXPECT_EQ(revision(), at(2));
  EXPECT_EQ(must(store_->commit(make_op(), {{AtRevision{"a", at(2)}}, {Put{"a", "3"}}})), at(3));
}

TEST_P(KvContract, revision_zero_as_a_guard_means_absent) {
  EXPECT_EQ(must(store_->commit(make_op(), {{AtRevision{"a", {0}}}, {Put{"a", "1"}}})), at(1));
  expect_error(store_->commit(make_op(), {{AtRevision{"a", {0}}}, {Put{"a", "2"}}}), Code::conflict);
}

TEST_P(KvContract, a_transaction_is_all_or_nothing) {
  put("a", "1");
  expect_error(
      store_->commit(make_op(), {{AtRevision{"a", at(1)}, Absent{"a"}}, {Erase{"a"}, Put{"b", "2"}}}),
      Code::conflict);
  EXPECT_EQ(value_of("a"), "1");
  EXPECT_EQ(value_of("b"), "(absent)");
  EXPECT_EQ(revision(), at(1));
}

TEST_P(KvContract, guards_see_the_state_before_the_changes) {
  EXPECT_EQ(must(store_->commit(make_op(), {{Absent{"a"}, Absent{"b"}}, {Put{"a", "1"}, Put{"b", "2"}}})),
            at(1));
}

TEST_P(KvContract, the_last_change_of_a_key_counts) {
  must(store_->commit(make_op(), {{}, {Put{"a", "1"}, Put{"b", "1"}, Put{"a", "2"}, Erase{"b"}}}));
  EXPECT_EQ(value_of("a"), "2");
  EXPECT_EQ(value_of("b"), "(absent)");
  must(store_->commit(make_op(), {{}, {Erase{"a"}, Put{"a", "3"}}}));
  EXPECT_EQ(value_of("a"), "3");
  EXPECT_EQ(revision(), at(2));
  EventLog log;
  const auto guard = watch(log, "", at(0));
  EXPECT_EQ(log.wait_for(at(2)).size(), 2U);  // one event per key and revision
}

TEST_P(KvContract, limits_are_inclusive) {
  const std::string key(Store::kMaxKeyBytes, 'k'), value(Store::kMaxValueBytes, 'v');
  put(key, value);
  EXPECT_EQ(get(key)->value, value);
  Txn full;
  for (size_t i = 0; i < Store::kMaxChanges; ++i) {
    full.guards.push_back(Absent{"n" + std::to_string(i)});
    full.changes.push_back(Put{"n" + std::to_string(i), ""});
  }
  EXPECT_EQ(must(store_->commit(make_op(), full)), at(2));
  EXPECT_EQ(list("", "", Store::kMaxPage).entries.size(), Store::kMaxChanges + 1);
}

TEST_P(KvContract, what_exceeds_a_limit_is_refused) {
  const std::string long_key(Store::kMaxKeyBytes + 1, 'k');
  const auto refuses = [&](const Txn& txn) {
    expect_error(store_->commit(make_op(), txn), Code::invalid_argument);
  };
  refuses({{}, {Put{"", "v"}}});
  refuses({{}, {Erase{long_key}}});
  refuses({{Absent{long_key}}, {}});
  refuses({{}, {Put{"k", std::string(Store::kMaxValueBytes + 1, 'v')}}});
  refuses({{}, std::vector<Change>(Store::kMaxChanges + 1, Erase{"k"})});
  refuses({std::vector<Guard>(Store::kMaxChanges + 1, Absent{"k"}), {}});
  const std::string large(Store::kMaxValueBytes, 'v');
  refuses({{}, {Put{"a", large}, Put{"b", large}}});  // kMaxTxnBytes
  expect_error(store_->get(make_op(), ""), Code::invalid_argument);
  expect_error(store_->get(make_op(), long_key), Code::invalid_argument);
  expect_error(store_->list(make_op(), "", "", 0), Code::invalid_argument);
  expect_error(store_->list(make_op(), "", "", Store::kMaxPage + 1), Code::invalid_argument);
  EXPECT_EQ(revision(), at(0));
}

TEST_P(KvContract, keys_and_values_are_any_bytes) {
  const std::string key("\0a\xff\n'\"%", 7), value("\xff\0\x80", 3);
  put(key, value);
  put("empty", "");
  EXPECT_EQ(get(key)->value, value);
  EXPECT_EQ(get("empty")->value, "");
  EXPECT_EQ(get(std::string(1, '\0')), std::nullopt);
  EXPECT_EQ(keys(""), (Strings{key, "empty"}));
}

TEST_P(KvContract, pages_go_on_after_the_last_key) {
  for (const char* key : {"p/1", "p/2", "p/3", "p/4", "q"}) put(key, key);
  const Page first = list("p/", "", 2);
  ASSERT_EQ(first.entries.size(), 2U);
  EXPECT_EQ(first.entries[1].key, "p/2");
  EXPECT_EQ(first.entries[1].value, "p/2");
  EXPECT_EQ(first.entries[1].revision, at(2));
  EXPECT_TRUE(first.more);
  EXPECT_EQ(first.revision, at(5));
  const Page second = list("p/", "p/2", 2);
  ASSERT_EQ(second.entries.size(), 2U);
  EXPECT_EQ(second.entries[0].key, "p/3");
  EXPECT_FALSE(second.more);
  EXPECT_TRUE(list("p/", "p/4").entries.empty());
  EXPECT_EQ(keys("p/", "p/25"), (Strings{"p/3", "p/4"}));  // `after` need not exist
  EXPECT_EQ(keys("p/", "a"), (Strings{"p/1", "p/2", "p/3", "p/4"}));
  EXPECT_TRUE(keys("p/", "z").empty());
}

TEST_P(KvContract, prefixes_are_of_bytes) {
  const std::string ff("\xff"), ffff("\xff\xff"), nul("a\0", 2);
  for (const std::string& key : Strings{"a", nul, "ab", "a\xff", "a\xff\xff", "b", ff, ffff, ffff + "x"})
    put(key);
  EXPECT_EQ(keys(""), (Strings{"a", nul, "ab", "a\xff", "a\xff\xff", "b", ff, ffff, ffff + "x"}));
  EXPECT_EQ(keys("a"), (Strings{"a", nul, "ab", "a\xff", "a\xff\xff"}));
  EXPECT_EQ(keys("a\xff"), (Strings{"a\xff", "a\xff\xff"}));
  EXPECT_EQ(keys(ff), (Strings{ff, ffff, ffff + "x"}));
  EXPECT_EQ(keys(ffff), (Strings{ffff, ffff + "x"}));
  EXPECT_EQ(keys("", "a"), (Strings{nul, "ab", "a\xff", "a\xff\xff", "b", ff, ffff, ffff + "x"}));
  EXPECT_EQ(keys("a", "a\xff"), (Strings{"a\xff\xff"}));
}

TEST_P(KvContract, a_page_of_large_values_ends_early) {
  const std::string value(Store::kMaxValueBytes, 'v');
  for (int i = 10; i < 30; ++i) put("k" + std::to_string(i), value);
  size_t seen = 0;
  Page page;
  do {
    page = list("k", page.entries.empty() ? "" : page.entries.back().key);
    seen += page.entries.size();
    EXPECT_LE(page.entries.size(), Store::kMaxPageBytes / value.size());
  } while (page.more);
  EXPECT_EQ(seen, 20U);
}

TEST_P(KvContract, a_scan_brings_everything_under_a_prefix_in_order) {
  constexpr int kEntries = 3'000;
  Strings expected;
  for (int i = 0; i < kEntries; i += 100) {
    Txn txn;
    for (int k = i; k < i + 100; ++k) {
      expected.push_back(fmt::format("p/t{}/v{}", k % 7, k));
      txn.changes.push_back(Put{expected.back(), fmt::format("{}-{}", k, std::string(size_t(k), 'v'))});
    }
    must(store_->commit(make_op(), txn));
  }
  expected.emplace_back("p/");
  for (const char* key : {"o", "p/", "p0"}) put(key);
  std::sort(expected.begin(), expected.end());
  Strings found;
  const auto scan = store_->scan("p/");
  for (Page page{.entries = {}, .more = true, .revision = {}}; page.more;) {
    page = must(scan->next(make_op()));
    EXPECT_EQ(page.revision, at(kEntries / 100 + 3));
    EXPECT_LE(page.entries.size(), Store::kMaxPage);
    for (const Entry& entry : page.entries) {
      found.push_back(entry.key);
      if (entry.key == "p/") continue;
      const int number = std::stoi(entry.value);
      EXPECT_EQ(entry.key, fmt::format("p/t{}/v{}", number % 7, number));
      EXPECT_EQ(entry.revision, at(std::uint64_t(number / 100 + 1)));
    }
  }
  EXPECT_EQ(found, expected);
}

TEST_P(KvContract, a_scan_of_nothing_has_a_revision) {
  put("other");
  const auto scan = store_->scan("p/");
  const Page page = must(scan->next(make_op()));
  EXPECT_TRUE(page.entries.empty());
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.revision, at(1));
}

TEST_P(KvContract, a_scan_of_large_values_takes_several_pages) {
  const std::string value(Store::kMaxValueBytes, 'v');
  for (int i = 10; i < 40; ++i) put("k" + std::to_string(i), value);
  const auto scan = store_->scan("");
  size_t seen = 0, pages = 0;
  for (bool more = true; more; ++pages) {
    const Page page = must(scan->next(make_op()));
    more = page.more;
    seen += page.entries.size();
  }
  EXPECT_EQ(seen, 30U);
  EXPECT_GT(pages, 1U);
}

TEST_P(KvContract, a_scan_that_ran_out_of_time_goes_on) {
  put("a");
  const auto scan = store_->scan("");
  expect_error(scan->next(Op(system_clock(), Millis(0), "test-request", "test")), Code::deadline_exceeded);
  EXPECT_EQ(must(scan->next(make_op())).entries.size(), 1U);
}

TEST_P(KvContract, a_page_is_one_snapshot) {
  const std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const std::string value = std::to_string(i);
      must(store_->commit(make_op(), {{}, {Put{"a", value}, Put{"m", value}, Put{"z", value}}}));
    }
  });
  while (revision() < at(200)) {
    const Page page = list("");
    if (page.entries.empty()) continue;
    ASSERT_EQ(page.entries.size(), 3U);
    for (const Entry& entry : page.entries) {
      EXPECT_EQ(entry.value, page.entries[0].value);
      EXPECT_EQ(entry.revision, page.revision);
    }
  }
}

TEST_P(KvContract, concurrent_increments_lose_nothing) {
  constexpr int kThreads = 8, kEach = 50;
  put("counter", "0");
  const auto increment = [&] {
    while (true) {
      const Entry entry = *get("counter");
      const auto done =
          store_->commit(make_op(), {{AtRevision{"counter", entry.revision}},
                                     {Put{"counter", std::to_string(std::stoi(entry.value) + 1)}}});
      if (done) return;
      EXPECT_EQ(done.error().code, Code::conflict) << done.error().message;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) increment();
      });
  }
  EXPECT_EQ(value_of("counter"), std::to_string(kThreads * kEach));
  EXPECT_EQ(revision(), at(1 + kThreads * kEach));
}

TEST_P(KvContract, an_expired_operation_does_nothing) {
  const Op late(system_clock(), Millis(-1), "r", "test");
  expect_error(store_->commit(late, {{}, {Put{"a", "1"}}}), Code::deadline_exceeded);
  expect_error(store_->get(late, "a"), Code::deadline_exceeded);
  expect_error(store_->list(late, "", "", 1), Code::deadline_exceeded);
  expect_error(store_->revision(late), Code::deadline_exceeded);
  EXPECT_EQ(revision(), at(0));
}

TEST_P(KvContract, a_cancelled_operation_does_nothing) {
  std::stop_source stop;
  stop.request_stop();
  const Op gone = make_op(stop.get_token());
  expect_error(store_->commit(gone, {{}, {Put{"a", "1"}}}), Code::cancelled);
  expect_error(store_->get(gone, "a"), Code::cancelled);
  expect_error(store_->list(gone, "", "", 1), Code::cancelled);
  EXPECT_EQ(revision(), at(0));
}

}  // namespace
}  // namespace volplugin::kv::test
