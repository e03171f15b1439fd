// SPDX-License-Identifier: Apache-2.0
// The contract suite of kv::Store: what every implementation must do. An implementation joins by
// adding its StoreKind to kinds() in kv_contract_test.cc. A store need not start at revision 0 (an etcd is
// shared), so tests count from where theirs started: at(n).
#pragma once

#include "kv/history.h"
#include "kv/store.h"

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace volplugin::kv::test {

inline constexpr Millis kPatience{20'000};  // for what must happen; only a failing test waits so long

inline Op make_op(std::stop_token stop = {}) {
  return Op(system_clock(), kPatience, "test-request", "test", std::move(stop));
}

// The value, or an exception that GoogleTest reports.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

template <class T>
void expect_error(const Result<T>& result, Code code, Effect effect = Effect::none) {
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(to_string(result.error().code), to_string(code)) << result.error().message;
  EXPECT_EQ(result.error().effect, effect) << result.error().message;
}

// A directory that goes away with the test.
class TestDirectory {
 public:
  TestDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "volplugin-kv-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Collects what a watch delivers and waits for it.
class EventLog {
 public:
  std::function<void(const WatchBatch&)> collector() {
    return [this](const WatchBatch& batch) {
      const std::lock_guard lock(mutex_);
      EXPECT_FALSE(batch.events.empty());
      EXPECT_FALSE(batch.snapshot);
      EXPECT_GT(batch.revision, revision_);
      for (const Event& event : batch.events) {
        EXPECT_GT(event.revision, revision_);  // nothing twice
        EXPECT_LE(event.revision, batch.revision);
        events_.push_back(event);
      }
      revision_ = batch.revision;
      changed_.notify_all();
    };
  }

  // Everything delivered once that covers `revision`.
  std::vector<Event> wait_for(Revision revision) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_until(lock, give_up(), [&] { return revision_ >= revision; }))
        << "delivered up to " << revision_.value << ", not " << revision.value;
    return events_;
  }

  size_t size() {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }

  static std::chrono::system_clock::time_point give_up() {
    return std::chrono::system_clock::now() + kPatience;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  Revision revision_;
};

struct StoreKind {
  std::string name;
  // `directory` is the test's own; the store may put files there.
  std::function<std::unique_ptr<Store>(const TestDirectory& directory, HistoryPolicy policy,
                                       const Clock& clock)>
      make;
  // Lets time pass for leases; the store's clock is the FakeClock where it can be.
  bool fake_time = true;
};

class KvContract : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override { use_history({}); }

  void use_history(HistoryPolicy policy) {
    store_.reset();
    store_ = GetParam().make(directory_, policy, clock_);
    start_ = revision();
  }

  Revision at(std::uint64_t changes) const { return {start_.value + changes}; }
  // Time for leases: at once where the store takes our clock.
  void pass(Millis time) {
    if (GetParam().fake_time)
      clock_.advance(time);
    else
      std::this_thread::sleep_for(time);
  }

  Revision put(const std::string& key, const std::string& value = "value") {
    return must(store_->commit(make_op(), {{}, {Put{key, value}}}));
  }
  Revision erase(const std::string& key) { return must(store_->commit(make_op(), {{}, {Erase{key}}})); }
  std::optional<Entry> get(const std::string& key) { return must(store_->get(make_op(), key)); }
  std::string value_of(const std::string& key) {
    const auto entry = get(key);
    return entry ? entry->value : "(absent)";
  }
  Revision revision() { return must(store_->revision(make_op())); }
  Page list(const std::string& prefix, const std::string& after = "", size_t limit = 1000) {
    return must(store_->list(make_op(), prefix, after, limit));
  }
  std::vector<std::string> keys(const std::string& prefix, const std::string& after = "") {
    std::vector<std::string> result;
    for (const Entry& entry : list(prefix, after).entries) result.push_back(entry.key);
    return result;
  }
  std::unique_ptr<Watch> watch(EventLog& log, const std::string& prefix, Revision from) {
    return must(store_->watch(prefix, from, log.collector()));
  }

  TestDirectory directory_;
  FakeClock clock_;  // of leases
  std::unique_ptr<Store> store_;
  Revision start_;
};

}  // namespace volplugin::kv::test
