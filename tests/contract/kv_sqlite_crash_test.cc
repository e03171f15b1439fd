// SPDX-License-Identifier: Apache-2.0
// kill -9 while eight threads write: nothing that was acknowledged may be lost.
#include "kv/sqlite/sqlite_store.h"
#include "tests/contract/kv_contract.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::kv::test {
namespace {

constexpr const char* kPathVariable = "VOLPLUGIN_KV_CRASH_PATH";
constexpr const char* kPipeVariable = "VOLPLUGIN_KV_CRASH_PIPE";
constexpr int kThreads = 8;

// What a child says after a commit; shorter than PIPE_BUF, so never torn.
struct Acknowledged {
  std::uint64_t thread;
  std::uint64_t number;
  std::uint64_t revision;
};

std::string key_of(const Acknowledged& ack, const std::string& run) {
  return fmt::format("{}/{}/{}", run, ack.thread, ack.number);
}

void write_for_ever(Store& store, const std::string& run, std::uint64_t thread, int pipe) {
  for (std::uint64_t number = 0;; ++number) {
    Acknowledged ack{thread, number, 0};
    ack.revision =
        must(store.commit(make_op(), {{}, {Put{key_of(ack, run), std::string(number % 5000, 'v')}}})).value;
    if (write(pipe, &ack, sizeof ack) != sizeof ack) return;
  }
}

// Not a test: the program that is killed. `run` is its process id.
TEST(KvCrashChild, DISABLED_writes_until_it_is_killed) {
  const char* path = std::getenv(kPathVariable);
  const char* pipe = std::getenv(kPipeVariable);
  if (path == nullptr || pipe == nullptr) GTEST_SKIP() << "only run by KvCrash";
  const auto store = must(SqliteStore::open(path, system_clock(), {.keep = 1'000'000, .step = 1000}));
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] { write_for_ever(*store, std::to_string(getpid()), t, std::atoi(pipe)); });
}

class Child {
 public:
  explicit Child(const std::string& path) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    const std::string path_setting = fmt::format("{}={}", kPathVariable, path);
    const std::string pipe_setting = fmt::format("{}={}", kPipeVariable, ends[1]);
    const std::array<const char*, 5> argv{"child", "--gtest_filter=KvCrashChild.*",
                                          "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr};
    const std::array<const char*, 3> environment{path_setting.c_str(), pipe_setting.c_str(), nullptr};
    pid_ = fork();
    if (pid_ == 0) {
      fcntl(ends[1], F_SETFD, 0);
      execve("/proc/self/exe", const_cast<char**>(argv.data()), const_cast<char**>(environment.data()));
      _exit(127);
    }
    close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    kill();
    close(pipe_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // False: the child is gone, or says nothing.
  bool read(Acknowledged& ack) const {
    pollfd ready{pipe_, POLLIN, 0};
    return poll(&ready, 1, int(kPatience.count())) == 1 && ::read(pipe_, &ack, sizeof ack) == sizeof ack;
  }
  void kill() {
    if (!std::exchange(running_, false)) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::string run() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  bool running_ = true;
};

void expect_acknowledged(Store& store, const std::map<std::string, Acknowledged>& acks) {
  for (const auto& [key, ack] : acks) {
    const auto entry = must(store.get(make_op(), key));
    ASSERT_TRUE(entry) << key;
    EXPECT_EQ(entry->revision, Revision{ack.revision}) << key;
    EXPECT_EQ(entry->value.size(), ack.number % 5000) << key;
  }
  const Revision now = must(store.revision(make_op()));
  EventLog log;
  const auto guard = must(store.watch("", {0}, log.collector()));
  const auto events = log.wait_for(now);
  ASSERT_EQ(events.size(), now.value);  // every commit put one key
  for (size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].revision, Revision{i + 1});
}

TEST(KvCrash, nothing_acknowledged_is_lost) {
  const TestDirectory directory;
  const std::string path = directory / "store.db";
  std::map<std::string, Acknowledged> acks;
  for (int round = 0; round < 4; ++round) {
    Child child(path);
    Acknowledged ack{};
    for (int i = 0; i < 300 + 77 * round; ++i) {
      ASSERT_TRUE(child.read(ack)) << "the child writes nothing";
      acks[key_of(ack, child.run())] = ack;
    }
    child.kill();
    while (child.read(ack)) acks[key_of(ack, child.run())] = ack;  // said before it died
    const auto store = must(SqliteStore::open(path, system_clock(), {.keep = 1'000'000, .step = 1000}));
    expect_acknowledged(*store, acks);
  }
}

}  // namespace
}  // namespace volplugin::kv::test
