// SPDX-License-Identifier: Apache-2.0
// Group commit, seen through the calls that flush to disk: this file stands between SQLite and
// fdatasync(), for the whole test program, and can count, hold or fail it.
#include "kv/sqlite/sqlite_store.h"
#include "tests/contract/kv_contract.h"

#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include <sys/syscall.h>
#include <unistd.h>

namespace {

enum class Flush { pass, hold, fail };

std::atomic<Flush> flush_mode = Flush::pass;
std::atomic<int> flushes = 0;
std::atomic<int> flushes_held = 0;

}  // namespace

extern "C" int fdatasync(int fd) {
  ++flushes;
  if (flush_mode == Flush::hold) {
    ++flushes_held;
    flushes_held.notify_all();
    flush_mode.wait(Flush::hold);
  }
  if (flush_mode == Flush::fail) {
    errno = EIO;
    return -1;
  }
  return int(syscall(SYS_fdatasync, fd));
}

namespace volplugin::kv::test {
namespace {

class SqliteCommitTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = must(SqliteStore::open(path_, system_clock()));
    must(put("first"));
  }
  void TearDown() override { set_mode(Flush::pass); }

  static void set_mode(Flush mode) {
    flush_mode = mode;
    flush_mode.notify_all();
  }

  Result<Revision> put(const std::string& key, const Op& op = make_op()) {
    return store_->commit(op, {{}, {Put{key, "value"}}});
  }
  Revision revision() { return must(store_->revision(make_op())); }

  // A caller whose commit hangs in the flush, leading the batch, until the mode changes.
  std::jthread hold_leader() {
    flushes_held = 0;
    set_mode(Flush::hold);
    std::jthread leader([this] { must(put("leader")); });
    flushes_held.wait(0);
    return leader;
  }

  TestDirectory directory_;
  std::string path_ = directory_ / "store.db";
  std::unique_ptr<SqliteStore> store_;
};

// Threads of this process that wait in the kernel; the others run or are about to.
bool all_asleep(const std::vector<std::atomic<pid_t>>& threads) {
  for (const auto& thread : threads) {
    if (thread == 0) return false;
    std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string line;
    std::getline(stat, line);
    if (line.substr(line.rfind(')') + 2, 1) != "S") return false;
  }
  return true;
}

TEST_F(SqliteCommitTest, commits_that_wait_share_one_flush) {
  constexpr size_t kThreads = 16;
  auto leader = hold_leader();
  std::vector<std::atomic<pid_t>> ids(kThreads);
  std::atomic<int> conflicts = 0;
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      ids[i] = gettid();
      // All want to be the one that makes "shared": one of the batch succeeds, the others conflict.
      const auto done = store_->commit(make_op(), {{Absent{"shared"}}, {Put{"shared", std::to_string(i)}}});
      if (!done && done.error().code == Code::conflict) ++conflicts;
      must(put("own" + std::to_string(i)));
    });
  const auto give_up = EventLog::give_up();
  while (!all_asleep(ids)) {
    ASSERT_LT(std::chrono::system_clock::now(), give_up);
    std::this_thread::yield();
  }
  const int before = flushes;
  set_mode(Flush::pass);
  leader.join();
  threads.clear();
  EXPECT_EQ(conflicts, int(kThreads) - 1);
  EXPECT_EQ(revision(), Revision{2 + 1 + kThreads});
  // One for the batch of 16 that waited, then at most one each; a queue without batches needs 32.
  EXPECT_LE(flushes - before, int(kThreads) + 1);
}

TEST_F(SqliteCommitTest, a_deadline_in_the_queue_leaves_no_effect) {
  const auto leader = hold_leader();
  expect_error(put("late", Op(system_clock(), Millis(20), "r", "test")), Code::deadline_exceeded);
  set_mode(Flush::pass);
  must(put("after"));
  EXPECT_EQ(must(store_->get(make_op(), "late")), std::nullopt);
  EXPECT_EQ(revision(), Revision{3});
}

TEST_F(SqliteCommitTest, a_cancelled_commit_leaves_the_queue) {
  const auto leader = hold_leader();
  std::jthread caller(
      [&](const std::stop_token& stop) { expect_error(put("gone", make_op(stop)), Code::cancelled); });
  caller.request_stop();
  caller.join();
  set_mode(Flush::pass);
  must(put("after"));
  EXPECT_EQ(must(store_->get(make_op(), "gone")), std::nullopt);
}

TEST_F(SqliteCommitTest, readers_do_not_wait_for_a_flush) {
  const auto leader = hold_leader();
  EXPECT_TRUE(must(store_->get(make_op(), "first")));
  EXPECT_EQ(must(store_->get(make_op(), "leader")), std::nullopt);  // not before it is durable
  EXPECT_EQ(revision(), Revision{1});
  set_mode(Flush::pass);
}

TEST_F(SqliteCommitTest, a_failed_flush_stops_the_store) {
  set_mode(Flush::fail);
  expect_error(put("unknown"), Code::unavailable, Effect::unknown);
  set_mode(Flush::pass);
  // The disk works again, but what the kernel dropped meanwhile nobody knows.
  expect_error(put("refused"), Code::unavailable, Effect::none);
  EXPECT_TRUE(must(store_->get(make_op(), "first")));

  store_.reset();
  store_ = must(SqliteStore::open(path_, system_clock()));
  const bool happened = must(store_->get(make_op(), "unknown")).has_value();
  EXPECT_EQ(revision(), Revision{happened ? 2U : 1U});
  EXPECT_EQ(must(store_->get(make_op(), "refused")), std::nullopt);
  must(put("again"));
}

}  // namespace
}  // namespace volplugin::kv::test
