// SPDX-License-Identifier: Apache-2.0
// The watch part of the Store contract; the implementations are listed in kv_contract_test.cc.
#include "tests/contract/kv_contract.h"

#include <atomic>
#include <future>
#include <thread>

namespace volplugin::kv::test {
namespace {

// An event that tests can wait for from any thread.
class Signal {
 public:
  void set() { promise_.set_value(); }
  [[nodiscard]] bool wait() { return future_.wait_for(kPatience) == std::future_status::ready; }
  [[nodiscard]] bool is_set() { return future_.wait_for(Millis(0)) == std::future_status::ready; }

 private:
  std::promise<void> promise_;
  std::future<void> future_ = promise_.get_future();
};

TEST_P(KvContract, a_watch_from_zero_sees_everything) {
  put("a", "1");
  erase("a");
  must(store_->commit(make_op(), {{}, {Put{"b", "2"}, Put{"c", "3"}}}));
  EventLog log;
  const auto guard = watch(log, "", at(0));
  const auto events = log.wait_for(at(3));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].key, "a");
  EXPECT_EQ(events[0].value, "1");
  EXPECT_EQ(events[1].key, "a");
  EXPECT_EQ(events[1].value, std::nullopt);
  EXPECT_EQ(events[1].revision, at(2));
  EXPECT_EQ(events[2].key, "b");
  EXPECT_EQ(events[3].key, "c");
  EXPECT_EQ(events[3].revision, at(3));
}

TEST_P(KvContract, a_watch_from_now_sees_only_what_comes) {
  put("a", "1");
  EventLog log;
  const auto guard = watch(log, "", revision());
  put("a", "2");
  erase("absent");  // no change, no event
  const auto last = put("a", "");
  const auto events = log.wait_for(last);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].value, "2");
  EXPECT_EQ(events[1].value, "");  // empty is not erased
}

TEST_P(KvContract, a_watch_from_the_middle_starts_after_it) {
  for (int i = 1; i <= 5; ++i) put("k", std::to_string(i));
  EventLog log;
  const auto guard = watch(log, "", at(3));
  const auto events = log.wait_for(at(5));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].revision, at(4));
}

TEST_P(KvContract, a_watch_sees_only_its_prefix) {
  EventLog volumes, all;
  const auto one = watch(volumes, "volumes/", at(0));
  const auto two = watch(all, "", at(0));
  must(store_->commit(make_op(), {{}, {Put{"volumes/a", "1"}, Put{"mounts/a", "1"}}}));
  put("volumes");  // not under the prefix
  const auto last = put("volumes/b");
  const auto events = volumes.wait_for(last);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].key, "volumes/a");
  EXPECT_EQ(events[1].key, "volumes/b");
  EXPECT_EQ(all.wait_for(last).size(), 4U);
}

TEST_P(KvContract, watchers_see_all_changes_in_order_without_gaps) {
  constexpr int kWriters = 4, kEach = 200, kWatchers = 3;
  std::vector<EventLog> logs(kWatchers + 1);
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < kWatchers; ++i) watches.push_back(watch(logs[size_t(i)], "", at(0)));
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w)
      writers.emplace_back([&, w] {
        for (int i = 0; i < kEach; ++i) put(std::to_string(w), std::to_string(i));
      });
    watches.push_back(watch(logs.back(), "", at(0)));  // joins while changes flow
  }
  for (EventLog& log : logs) {
    const auto events = log.wait_for(at(kWriters * kEach));
    ASSERT_EQ(events.size(), size_t(kWriters * kEach));
    for (size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].revision, at(i + 1));
  }
}

TEST_P(KvContract, large_events_arrive_complete) {
  const std::string value(Store::kMaxValueBytes, 'v');
  for (int i = 0; i < 5; ++i) must(store_->commit(make_op(), {{}, {Put{"a", value}, Put{"b", "small"}}}));
  EventLog log;
  const auto guard = watch(log, "", at(0));
  const auto events = log.wait_for(at(5));
  ASSERT_EQ(events.size(), 10U);
  for (const Event& event : events) EXPECT_EQ(event.value, event.key == "a" ? value : "small");
}

TEST_P(KvContract, no_callback_runs_after_a_watch_is_destroyed) {
  const std::jthread writer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) put("k");
  });
  for (int round = 0; round < 50; ++round) {
    auto log = std::make_unique<EventLog>();
    // The writer may be so far ahead of a test that got no processor that this revision is compacted.
    auto guard = store_->watch("", revision(), log->collector());
    while (!guard) {
      ASSERT_EQ(guard.error().code, Code::invalid_argument) << guard.error().message;
      guard = store_->watch("", revision(), log->collector());
    }
    if (round % 2 == 0) log->wait_for({revision().value + 1});
    guard->reset();
    log.reset();  // a late callback would use it
  }
}

TEST_P(KvContract, destroying_a_watch_waits_for_its_callback_and_destroys_it) {
  Signal entered, leave;
  std::atomic<bool> returned = false;
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> capture = owned;
  auto guard = must(store_->watch("", at(0), [&, held = std::move(owned)](const WatchBatch&) {
    entered.set();
    EXPECT_TRUE(leave.wait());
    returned = true;
  }));
  put("k");
  ASSERT_TRUE(entered.wait());
  std::jthread release([&] { leave.set(); });
  guard.reset();
  EXPECT_TRUE(returned);
  EXPECT_TRUE(capture.expired());
}

TEST_P(KvContract, a_watch_may_be_destroyed_in_its_own_callback) {
  std::unique_ptr<Watch> guard;
  Signal assigned, gone;
  std::atomic<int> calls = 0;
  guard = must(store_->watch("", at(0), [&](const WatchBatch&) {
    EXPECT_TRUE(assigned.wait());
    ++calls;
    guard.reset();
    gone.set();
  }));
  assigned.set();
  put("k");
  ASSERT_TRUE(gone.wait());
  EventLog log;
  const auto other = watch(log, "", at(0));
  log.wait_for(put("k"));  // the store's watch thread lives on
  EXPECT_EQ(calls, 1);
}

TEST_P(KvContract, a_callback_may_use_the_store) {
  EventLog log;
  std::unique_ptr<Watch> inner;
  Signal started;
  const auto outer = must(store_->watch("in/", at(0), [&](const WatchBatch& batch) {
    for (const Event& event : batch.events) put("out/" + event.key, *event.value);
    if (!inner) {
      inner = watch(log, "out/", at(0));
      started.set();
    }
  }));
  put("in/1", "x");
  ASSERT_TRUE(started.wait());
  const auto events = log.wait_for(at(2));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].key, "out/in/1");
}

TEST_P(KvContract, a_watch_from_compacted_history_is_refused) {
  use_history({.keep = 20, .step = 5});
  for (int i = 0; i < 60; ++i) put("k", std::to_string(i));
  EventLog log;
  expect_error(store_->watch("", at(0), log.collector()), Code::invalid_argument);
  expect_error(store_->watch("", at(34), log.collector()), Code::invalid_argument);
  const auto guard = watch(log, "", at(40));
  EXPECT_EQ(log.wait_for(at(60)).size(), 20U);
  EXPECT_EQ(value_of("k"), "59");
}

TEST_P(KvContract, a_slow_watcher_misses_nothing_when_history_is_compacted) {
  use_history({.keep = 20, .step = 5});
  Signal entered, leave;
  EventLog log;
  bool first = true;
  const auto guard = must(store_->watch("", at(0), [&, collect = log.collector()](const WatchBatch& batch) {
    collect(batch);
    if (std::exchange(first, false)) {
      entered.set();
      EXPECT_TRUE(leave.wait());
    }
  }));
  put("k");
  ASSERT_TRUE(entered.wait());
  for (int i = 0; i < 100; ++i) put("k");
  leave.set();
  EXPECT_EQ(log.wait_for(at(101)).size(), 101U);
}

TEST_P(KvContract, a_watch_from_the_future_is_refused) {
  put("k");
  EventLog log;
  expect_error(store_->watch("", at(2), log.collector()), Code::invalid_argument);
}

TEST_P(KvContract, destroying_the_store_ends_its_watches) {
  EventLog log;
  auto capture = std::make_shared<int>(1);
  const auto guard = must(store_->watch(
      "", at(0), [held = capture, collect = log.collector()](const WatchBatch& batch) { collect(batch); }));
  log.wait_for(put("k"));
  store_.reset();
  EXPECT_EQ(capture.use_count(), 1);
  EXPECT_EQ(log.size(), 1U);
}  // and the Watch outlives the store

}  // namespace
}  // namespace volplugin::kv::test
