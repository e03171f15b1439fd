// SPDX-License-Identifier: Apache-2.0
// What SqliteStore does beyond the contract: files, restarts, damage, a full disk.
#include "kv/sqlite/connection.h"
#include "kv/sqlite/sqlite_store.h"
#include "tests/contract/kv_contract.h"

#include <atomic>
#include <fstream>
#include <thread>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::kv::test {
namespace {

Revision put(Store& store, const std::string& key, const std::string& value = "value") {
  return must(store.commit(make_op(), {{}, {Put{key, value}}}));
}

class SqliteStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteStore>> open() { return SqliteStore::open(path_, system_clock()); }
  // Makes a store and closes it again.
  void make_store() { put(*must(open()), "key"); }
  void execute(const char* sql) {
    auto connection = must(Connection::open(path_, Connection::Mode::read_write));
    must(connection.execute(sql));
  }

  TestDirectory directory_;
  std::string path_ = directory_ / "state/volplugin/store.db";
};

mode_t mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777;
}

TEST_F(SqliteStoreTest, files_are_private) {
  const auto store = must(open());
  put(*store, "key");
  EXPECT_EQ(mode_of(directory_ / "state"), 0700U);
  EXPECT_EQ(mode_of(directory_ / "state/volplugin"), 0700U);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"})
    EXPECT_EQ(mode_of(path_ + suffix), 0600U) << suffix;
}

TEST_F(SqliteStoreTest, everything_survives_a_restart) {
  const std::string large(Store::kMaxValueBytes, 'v');
  {
    const auto store = must(open());
    put(*store, "a", large);
    put(*store, "b");
    must(store->commit(make_op(), {{}, {Erase{"b"}}}));
  }
  const auto store = must(open());
  EXPECT_EQ(must(store->revision(make_op())), Revision{3});
  const auto entry = must(store->get(make_op(), "a"));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, large);
  EXPECT_EQ(entry->revision, Revision{1});
  EventLog log;
  const auto guard = must(store->watch("", {0}, log.collector()));
  EXPECT_EQ(log.wait_for({3}).size(), 3U);
  EXPECT_EQ(put(*store, "c"), Revision{4});
}

TEST_F(SqliteStoreTest, leases_survive_a_restart_with_their_full_time) {
  FakeClock clock;
  LeaseId lease;
  {
    const auto store = must(SqliteStore::open(path_, clock));
    lease = must(store->grant(make_op(), Millis(10'000)));
    must(store->revoke(make_op(), must(store->grant(make_op(), Millis(10'000)))));
    must(store->commit(make_op(), {{}, {Put{"session", "1", lease}, Put{"stays", "1"}}}));
    clock.advance(Millis(9'000));
  }
  clock.advance(Millis(60'000));  // nobody was there to end it
  const auto store = must(SqliteStore::open(path_, clock));
  EventLog log;
  const auto guard = must(store->watch("", {1}, log.collector()));
  clock.advance(Millis(9'000));
  EXPECT_EQ(must(store->keep_alive(make_op(), lease)), Millis(10'000));
  EXPECT_GT(must(store->grant(make_op(), Millis(10'000))).value, lease.value + 1) << "an id was used again";
  clock.advance(Millis(10'000));
  EXPECT_EQ(log.wait_for({2}).at(0).key, "session");
  expect_error(store->keep_alive(make_op(), lease), Code::not_found);
}

TEST_F(SqliteStoreTest, a_store_of_the_first_version_is_brought_up_to_date) {
  make_store();
  execute(
      "DROP INDEX kv_by_lease; DROP TABLE leases; ALTER TABLE kv DROP COLUMN lease; "
      "UPDATE meta SET schema_version = 1");
  const auto store = must(open());
  EXPECT_EQ(must(store->get(make_op(), "key"))->value, "value");
  const LeaseId lease = must(store->grant(make_op(), Millis(60'000)));
  must(store->commit(make_op(), {{}, {Put{"leased", "1", lease}}}));
  must(store->revoke(make_op(), lease));
  EXPECT_EQ(must(store->list(make_op(), "", "", 10)).entries.size(), 1U);
}

TEST_F(SqliteStoreTest, compacted_history_stays_refused_after_a_restart) {
  {
    const auto store = must(SqliteStore::open(path_, system_clock(), {.keep = 10, .step = 5}));
    for (int i = 0; i < 40; ++i) put(*store, "key");
  }
  const auto store = must(open());
  EventLog log;
  expect_error(store->watch("", {0}, log.collector()), Code::invalid_argument);
  const auto guard = must(store->watch("", {30}, log.collector()));
  EXPECT_EQ(log.wait_for({40}).size(), 10U);
}

TEST_F(SqliteStoreTest, a_second_open_is_busy_and_names_the_holder) {
  auto store = must(open());
  const auto second = open();
  expect_error(second, Code::busy);
  EXPECT_NE(second.error().message.find(path_), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos)
      << second.error().message;
  put(*store, "key");  // and the first one is none the worse for it
  store.reset();
  must(open());
}

TEST_F(SqliteStoreTest, a_file_that_is_not_sqlite_is_corrupt) {
  make_store();
  std::ofstream(path_, std::ios::trunc) << std::string(8192, 'x');
  const auto store = open();
  expect_error(store, Code::corrupt);
  EXPECT_NE(store.error().message.find(path_), std::string::npos) << store.error().message;
  EXPECT_NE(store.error().message.find("docs/operations/backup.md"), std::string::npos)
      << store.error().message;
}

TEST_F(SqliteStoreTest, damaged_pages_are_corrupt) {
  make_store();
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  const std::string garbage(3 * 4096, '\x5a');
  file.write(garbage.data(), std::streamsize(garbage.size()));
  file.close();
  expect_error(open(), Code::corrupt);
}

TEST_F(SqliteStoreTest, a_database_of_something_else_is_not_touched) {
  must(SqliteStore::open(directory_ / "state/volplugin/other", system_clock()));  // makes the directory
  std::ofstream(path_).close();
  execute("CREATE TABLE precious (x)");
  expect_error(open(), Code::corrupt);
  execute("INSERT INTO precious VALUES (1)");
}

TEST_F(SqliteStoreTest, tables_that_contradict_each_other_are_corrupt) {
  make_store();
  execute("UPDATE meta SET revision = 7");
  expect_error(open(), Code::corrupt);
}

TEST_F(SqliteStoreTest, a_newer_schema_is_unsupported) {
  make_store();
  execute("UPDATE meta SET schema_version = 99");
  const auto store = open();
  expect_error(store, Code::unsupported);
  EXPECT_NE(store.error().message.find("99"), std::string::npos) << store.error().message;
}

TEST_F(SqliteStoreTest, a_path_that_cannot_be_is_refused) {
  expect_error(SqliteStore::open("", system_clock()), Code::invalid_argument);
  std::ofstream(directory_ / "file").close();
  EXPECT_FALSE(SqliteStore::open(directory_ / "file/store.db", system_clock()));
}

TEST_F(SqliteStoreTest, a_database_locked_by_another_program_is_unavailable) {
  const auto store = must(open());
  auto other = must(Connection::open(path_, Connection::Mode::read_write));
  must(other.execute("BEGIN IMMEDIATE"));
  expect_error(store->commit(make_op(), {{}, {Put{"key", "1"}}}), Code::unavailable);
  must(other.execute("ROLLBACK"));
  EXPECT_EQ(put(*store, "key"), Revision{1});
}

// A file system of `options` size, visible to the calling thread (and those it makes) only.
class SmallDisk {
 public:
  SmallDisk(std::string path, const char* size) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
    mounted_ = unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mount("tmpfs", path_.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  void grow() const { ASSERT_EQ(mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0); }

 private:
  std::string path_;
  bool mounted_ = false;
};

void fill_disk_and_recover(const SmallDisk& disk, const std::string& path) {
  auto store = must(SqliteStore::open(path, system_clock()));
  const std::string value(100'000, 'v');
  Result<Revision> last = Revision{};
  std::uint64_t stored = 0;
  while (last) {
    last = store->commit(make_op(), {{}, {Put{"small", "old"}, Put{"k" + std::to_string(stored), value}}});
    if (last) ++stored;
    ASSERT_LT(stored, 100U);
  }
  expect_error(last, Code::resource_exhausted);
  EXPECT_EQ(must(store->revision(make_op())), Revision{stored});
  EXPECT_EQ(must(store->get(make_op(), "k" + std::to_string(stored))), std::nullopt);
  EXPECT_EQ(must(store->get(make_op(), "small"))->revision, Revision{stored});
  disk.grow();
  EXPECT_EQ(must(store->commit(make_op(), {{}, {Put{"k", value}}})), Revision{stored + 1});
  store.reset();
  store = must(SqliteStore::open(path, system_clock()));
  EXPECT_EQ(must(store->revision(make_op())), Revision{stored + 1});
  EXPECT_EQ(must(store->list(make_op(), "k", "", 1000)).entries.size(), stored + 1);
}

// Small and large transactions end up in the same batches.
void fail_only_what_does_not_fit(const std::string& path) {
  const auto store = must(SqliteStore::open(path, system_clock()));
  const std::string large(Store::kMaxValueBytes, 'v'), half(Store::kMaxTxnBytes - large.size() - 8, 'v');
  std::jthread greedy([&](const std::stop_token& stop) {
    do
      expect_error(store->commit(make_op(), {{}, {Put{"big1", large}, Put{"big2", half}}}),
                   Code::resource_exhausted);
    while (!stop.stop_requested());
  });
  std::vector<std::jthread> modest;
  for (int t = 0; t < 8; ++t)
    modest.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) put(*store, fmt::format("k/{}/{}", t, i));
    });
  modest.clear();
  greedy.request_stop();
  greedy.join();
  EXPECT_EQ(must(store->revision(make_op())), Revision{80});
  EXPECT_EQ(must(store->list(make_op(), "", "", 1000)).entries.size(), 80U);
}

// Runs `test` with a small disk under `path`. The private mount namespace ends with its thread.
void on_small_disk(const std::string& path, const std::function<void(const SmallDisk&)>& test,
                   const char* size = "size=4m") {
  bool mounted = false;
  std::jthread([&] {
    const SmallDisk disk(path, size);
    mounted = disk.mounted();
    if (mounted) test(disk);
  }).join();
  if (!mounted) GTEST_SKIP() << "NOT TESTED: a full disk. It needs root, to mount a small tmpfs";
}

TEST_F(SqliteStoreTest, a_full_disk_changes_nothing) {
  on_small_disk(directory_ / "disk",
                [&](const SmallDisk& disk) { fill_disk_and_recover(disk, directory_ / "disk/store.db"); });
}

TEST_F(SqliteStoreTest, a_transaction_that_does_not_fit_fails_alone) {
  on_small_disk(
      directory_ / "disk",
      [&](const SmallDisk&) { fail_only_what_does_not_fit(directory_ / "disk/store.db"); }, "size=2560k");
}

}  // namespace
}  // namespace volplugin::kv::test
