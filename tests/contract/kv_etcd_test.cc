// SPDX-License-Identifier: Apache-2.0
// What EtcdStore does beyond the contract: outages, members that hang, compaction, a full etcd, others.
#include "kv/rules.h"
#include "tests/contract/etcd_server.h"

#include <array>
#include <atomic>
#include <future>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace volplugin::kv::test {
namespace {

Revision put(Store& store, const std::string& key, const std::string& value = "value") {
  return must(store.commit(make_op(), {{}, {Put{key, value}}}));
}

// Of which a scan takes several messages.
Revision put_many(Store& store, int count, const std::string& value) {
  Revision last;
  for (int i = 0; i < count; i += 100) {
    Txn txn;
    for (int k = i; k < i + 100; ++k) txn.changes.push_back(Put{fmt::format("k{:04}", k), value});
    last = must(store.commit(make_op(), txn));
  }
  return last;
}

std::string value_of(Store& store, const std::string& key) {
  const auto entry = must(store.get(make_op(), key));
  return entry ? entry->value : "(absent)";
}

Op short_op(Millis timeout) {
  return Op(system_clock(), timeout, "test-request", "test");
}

// A member that accepts connections and never says a word.
class SilentMember {
 public:
  SilentMember() {
    socklen_t size = sizeof address_;
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = reinterpret_cast<sockaddr*>(&address_);
    if (bind(fd_, plain, size) != 0 || listen(fd_, 16) != 0 || getsockname(fd_, plain, &size) != 0)
      throw std::runtime_error("listen");
  }
  ~SilentMember() { close(fd_); }
  SilentMember(const SilentMember&) = delete;
  SilentMember& operator=(const SilentMember&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }
  int fd() const { return fd_; }
  const sockaddr_in& address() const { return address_; }

 private:
  int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address_{};
};

// A member that takes requests and answers none: of HTTP/2 it says the greeting, and counts what it is asked.
class HangingMember {
 public:
  HangingMember() {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested())
        if (readable(listener_.fd())) serve(stop);
    });
  }
  std::string url() const { return listener_.url(); }
  int requests() const { return requests_; }

 private:
  static constexpr size_t kGreeting = 24, kFrameHeader = 9;
  static constexpr unsigned char kHeaders = 1, kSettings = 4;

  static bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, 5) > 0;
  }
  void serve(const std::stop_token& stop) {
    const int client = accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    const std::array<unsigned char, kFrameHeader> settings{0, 0, 0, kSettings};
    std::string got;
    size_t read_up_to = kGreeting;
    bool open = send(client, settings.data(), settings.size(), MSG_NOSIGNAL) > 0;
    while (open && !stop.stop_requested()) {
      if (!readable(client)) continue;
      std::array<char, 4096> bytes{};
      const ssize_t count = recv(client, bytes.data(), bytes.size(), 0);
      open = count > 0;
      if (open) got.append(bytes.data(), size_t(count));
      while (got.size() >= read_up_to + kFrameHeader) read_up_to += frame_at(got, read_up_to);
    }
    close(client);
  }
  // Its size with its header.
  size_t frame_at(const std::string& bytes, size_t at) {
    const auto byte = [&](size_t offset) { return static_cast<unsigned char>(bytes[at + offset]); };
    if (byte(3) == kHeaders) ++requests_;
    return kFrameHeader + (size_t(byte(0)) << 16) + (size_t(byte(1)) << 8) + byte(2);
  }

  SilentMember listener_;
  std::atomic<int> requests_ = 0;
  std::jthread thread_;  // last: it uses the rest
};

// A way to a member on which, when asked to, the next request arrives and its answer does not.
class LossyWay {
 public:
  explicit LossyWay(int target_port) : target_port_(target_port) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) serve(stop);
    });
  }
  std::string url() const { return listener_.url(); }
  void lose_next_answer() { losing_ = true; }

 private:
  static bool ready(int fd) {
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, 5) > 0;
  }
  static bool pass(int from, int to) {
    std::array<char, 65536> bytes{};
    const ssize_t count = recv(from, bytes.data(), bytes.size(), 0);
    return count > 0 && send(to, bytes.data(), size_t(count), MSG_NOSIGNAL) == count;
  }
  void serve(const std::stop_token& stop) {
    if (!ready(listener_.fd())) return;
    const int inner = accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    const int outer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in target = listener_.address();
    target.sin_port = htons(std::uint16_t(target_port_));
    bool open = connect(outer, reinterpret_cast<sockaddr*>(&target), sizeof target) == 0, lost = false;
    while (open && !lost && !stop.stop_requested()) {
      if (ready(inner)) {
        open = pass(inner, outer);
        lost = losing_.exchange(false);
      }
      if (open && !lost && ready(outer)) open = pass(outer, inner);
    }
    if (lost) std::this_thread::sleep_for(Millis(100));  // etcd does what it was asked to
    close(inner);
    close(outer);
  }

  const int target_port_;
  SilentMember listener_;
  std::atomic<bool> losing_ = false;
  std::jthread thread_;  // last: it uses the rest
};

// Holds up a watch's first batch until told to go on; collects what the others are.
class Stopper {
 public:
  std::function<void(const WatchBatch&)> collector() {
    return [this](const WatchBatch& batch) {
      if (!std::exchange(entered_, true)) {
        started_.set_value();
        go_on_.get_future().wait_for(kPatience);
        return;
      }
      const std::lock_guard lock(mutex_);
      batches_.push_back(batch);
      changed_.notify_all();
    };
  }
  void wait_until_entered() {
    ASSERT_EQ(started_.get_future().wait_for(kPatience), std::future_status::ready);
  }
  void go_on() { go_on_.set_value(); }
  std::vector<WatchBatch> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_until(lock, EventLog::give_up(), [&] { return batches_.size() >= count; }));
    return batches_;
  }

 private:
  bool entered_ = false;
  std::promise<void> started_, go_on_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<WatchBatch> batches_;
};

TEST(EtcdStoreTest, what_it_is_told_is_checked) {
  const auto open = [](const EtcdSettings& settings) { return EtcdStore::open(settings, system_clock()); };
  expect_error(open({}), Code::invalid_argument);
  expect_error(open({.endpoints = {"ftp://a:1"}}), Code::invalid_argument);
  expect_error(open({.endpoints = {"http://a:1"}, .prefix = "no-slash"}), Code::invalid_argument);
  expect_error(open({.endpoints = {"http://a:1"}, .password = "x"}), Code::invalid_argument);
  expect_error(open({.endpoints = {"https://a:1"}, .cert_file = "/x"}), Code::invalid_argument);
  expect_error(open({.endpoints = {"http://a:1"}, .ca_file = "/x"}), Code::invalid_argument);
  expect_error(open({.endpoints = {"https://a:1"}, .ca_file = "/nowhere"}), Code::not_found);
  expect_error(open({.endpoints = {"https://a:1"}, .ca_file = "/etc/hostname"}), Code::invalid_argument);
}

TEST(EtcdStoreTest, stores_with_other_prefixes_are_strangers) {
  EtcdServer& server = shared_etcd();
  const auto one = server.open_store();
  const auto two = server.open_store();
  EventLog log;
  const auto guard = must(two->watch("", must(two->revision(make_op())), log.collector()));
  put(*one, "key", "one");
  const Revision last = put(*two, "key", "two");
  EXPECT_EQ(log.wait_for(last).size(), 1U);
  EXPECT_EQ(value_of(*one, "key"), "one");
  EXPECT_EQ(must(two->list(make_op(), "", "", 10)).entries.size(), 1U);
}

TEST(EtcdStoreTest, two_stores_with_one_prefix_are_one) {
  EtcdServer& server = shared_etcd();
  const auto one = server.open_store();
  const auto two = must(EtcdStore::open(server.settings(), system_clock()));
  EventLog log;
  const auto guard = must(two->watch("", must(one->revision(make_op())), log.collector()));
  const Revision first = put(*one, "key", "one");
  EXPECT_EQ(log.wait_for(first).at(0).value, "one");
  expect_error(two->commit(make_op(), {{Absent{"key"}}, {Put{"key", "two"}}}), Code::conflict);
  const LeaseId lease = must(one->grant(make_op(), Millis(60'000)));
  must(two->commit(make_op(), {{AtRevision{"key", first}}, {Put{"key", "two", lease}}}));
  must(one->revoke(make_op(), lease));
  EXPECT_EQ(value_of(*two, "key"), "(absent)");
}

TEST(EtcdStoreTest, long_lists_take_several_messages_of_one_revision) {
  const auto store = shared_etcd().open_store();
  put_many(*store, 2000, std::string(300, 'v'));
  const Page page = must(store->list(make_op(), "k", "", 5000));
  ASSERT_EQ(page.entries.size(), 2000U);
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.entries.back().key, "k1999");
  const Page part = must(store->list(make_op(), "k", "k0499", 1000));
  ASSERT_EQ(part.entries.size(), 1000U);
  EXPECT_EQ(part.entries.front().key, "k0500");
  EXPECT_TRUE(part.more);
}

TEST(EtcdStoreTest, a_scan_is_of_one_revision_whatever_is_changed_meanwhile) {
  const auto store = shared_etcd().open_store();
  const Revision start = put_many(*store, 3000, "old");
  const auto scan = store->scan("");
  int pages = 0, entries = 0;
  for (bool more = true; more; ++pages) {
    const Page page = must(scan->next(make_op()));
    EXPECT_EQ(page.revision, start);
    for (const Entry& entry : page.entries) EXPECT_EQ(entry.key, fmt::format("k{:04}", entries++));
    for (const Entry& entry : page.entries) EXPECT_EQ(entry.value, "old");
    must(store->commit(make_op(), {{}, {Put{"k2999", "new"}, Erase{"k2998"}, Put{"k2997x", "new"}}}));
    more = page.more;
  }
  EXPECT_EQ(entries, 3000);
  EXPECT_GT(pages, 2);
}

TEST(EtcdStoreTest, a_scan_whose_revision_is_compacted_goes_on_with_a_newer_one) {
  const auto store = shared_etcd().open_store({.keep = 1, .step = 1});
  const Revision start = put_many(*store, 3000, "old");
  const auto scan = store->scan("");
  Page page = must(scan->next(make_op()));
  while (page.entries.empty()) page = must(scan->next(make_op()));
  EXPECT_EQ(page.revision, start);
  size_t entries = page.entries.size();
  Revision last;
  for (int i = 0; i < 10; ++i) last = put(*store, "k2999", "new");
  std::string newest;
  while (page.more) {
    page = must(scan->next(make_op()));
    EXPECT_EQ(page.revision, last);
    entries += page.entries.size();
    if (!page.entries.empty()) newest = page.entries.back().value;
  }
  EXPECT_EQ(entries, 3000U);
  EXPECT_EQ(newest, "new");
}

TEST(EtcdStoreTest, a_list_that_narrows_its_requests_knows_whether_there_is_more) {
  const auto store = shared_etcd().open_store();
  put_many(*store, 3000, "value");
  const Page most = must(store->list(make_op(), "k", "", 2999));
  EXPECT_EQ(most.entries.size(), 2999U);
  EXPECT_TRUE(most.more);
  const Page all = must(store->list(make_op(), "k", "", 3000));
  EXPECT_EQ(all.entries.size(), 3000U);
  EXPECT_FALSE(all.more);
}

TEST(EtcdStoreTest, watches_go_on_without_gaps_after_a_crash_of_etcd) {
  EtcdServer server;
  const auto store = server.open_store();
  EventLog log;
  const Revision start = must(store->revision(make_op()));
  const auto guard = must(store->watch("", start, log.collector()));
  log.wait_for(put(*store, "before"));
  server.kill();
  expect_error(store->get(make_op(), "before"), Code::unavailable);
  expect_error(store->commit(make_op(), {{}, {Put{"during", "x"}}}), Code::unavailable);  // nothing was sent
  expect_error(store->watch("", start, log.collector()), Code::unavailable);
  server.start();
  const auto other = must(EtcdStore::open(server.settings(), system_clock()));
  put(*other, "after");
  const Revision last = put(*store, "later");
  const auto events = log.wait_for(last);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].key, "after");
  EXPECT_EQ(value_of(*store, "before"), "value");
}

TEST(EtcdStoreTest, a_watch_whose_history_is_gone_gets_a_snapshot) {
  EtcdServer server;
  const auto store = server.open_store();
  put(*store, "p/erased");
  put(*store, "p/kept", "1");
  put(*store, "q/other");
  Stopper stopper;
  const auto guard = must(store->watch("p/", must(store->revision(make_op())), stopper.collector()));
  put(*store, "p/kept", "2");
  stopper.wait_until_entered();
  server.kill();
  server.start();
  const auto other = must(EtcdStore::open(server.settings(), system_clock(), {.keep = 1, .step = 1}));
  must(other->commit(make_op(), {{}, {Erase{"p/erased"}, Put{"p/new", "3"}}}));
  for (int i = 0; i < 10; ++i) put(*other, "q/other");
  stopper.go_on();
  const auto snapshot = stopper.wait_for(1).at(0);
  EXPECT_TRUE(snapshot.snapshot);
  ASSERT_EQ(snapshot.events.size(), 2U);
  EXPECT_EQ(snapshot.events[0].key, "p/kept");
  EXPECT_EQ(snapshot.events[0].value, "2");
  EXPECT_EQ(snapshot.events[1].key, "p/new");
  const Revision last = put(*other, "p/new", "4");
  const auto next = stopper.wait_for(2).at(1);
  EXPECT_FALSE(next.snapshot);
  EXPECT_EQ(next.revision, last);
  ASSERT_EQ(next.events.size(), 1U);
}

TEST(EtcdStoreTest, a_member_that_hangs_costs_one_try) {
  EtcdServer& server = shared_etcd();
  server.open_store();
  const HangingMember hanging;
  EtcdSettings settings = server.settings();
  settings.endpoints.insert(settings.endpoints.begin(), hanging.url());
  const auto store = must(EtcdStore::open(settings, system_clock()));
  const Revision first = put(*store, "key");
  EXPECT_EQ(hanging.requests(), 1) << "a change first asks whether the member answers";
  EventLog log;
  const auto guard = must(store->watch("", first, log.collector()));
  log.wait_for(put(*store, "key"));
  EXPECT_EQ(value_of(*store, "key"), "value");
  EXPECT_EQ(hanging.requests(), 1) << "nothing else goes to it";
}

TEST(EtcdStoreTest, a_change_without_an_answer_is_unknown_and_not_repeated) {
  EtcdServer server;
  const auto store = server.open_store();
  const Revision start = put(*store, "counter", "0");
  server.pause();
  expect_error(store->commit(short_op(Millis(800)), {{AtRevision{"counter", start}}, {Put{"counter", "1"}}}),
               Code::deadline_exceeded, Effect::unknown);
  server.resume();
  // Now that it is known to be there it may have been done, once.
  const auto entry = must(store->get(make_op(), "counter"));
  EXPECT_LE(entry->revision.value, start.value + 1);
}

TEST(EtcdStoreTest, a_change_whose_answer_is_lost_is_not_sent_to_the_next_member) {
  EtcdServer& server = shared_etcd();
  server.open_store();
  LossyWay way(server.port());
  EtcdSettings settings = server.settings();
  settings.endpoints.insert(settings.endpoints.begin(), way.url());
  const auto store = must(EtcdStore::open(settings, system_clock()));
  const Revision start = put(*store, "key", "before");
  way.lose_next_answer();
  expect_error(store->commit(make_op(), {{}, {Put{"key", "after"}}}), Code::unavailable, Effect::unknown);
  EXPECT_EQ(value_of(*store, "key"), "after");
  EXPECT_EQ(must(store->revision(make_op())), (Revision{start.value + 1}));
  // A read is simply asked again.
  const auto again = must(EtcdStore::open(settings, system_clock()));
  EXPECT_EQ(value_of(*again, "key"), "after");
  way.lose_next_answer();
  EXPECT_EQ(value_of(*again, "key"), "after");
}

TEST(EtcdStoreTest, a_watch_leaves_a_member_that_hangs) {
  EtcdServer& server = shared_etcd();
  server.open_store();
  const SilentMember silent;
  EtcdSettings settings = server.settings();
  settings.endpoints.insert(settings.endpoints.begin(), silent.url());
  const auto store = must(EtcdStore::open(settings, system_clock()));
  const auto other = must(EtcdStore::open(server.settings(), system_clock()));
  const Revision start = must(other->revision(make_op()));
  EventLog log;
  const auto guard = must(store->watch("", start, log.collector()));
  log.wait_for(put(*other, "key"));
}

TEST(EtcdStoreTest, a_stopped_operation_returns_while_etcd_hangs) {
  EtcdServer server;
  const auto store = server.open_store();
  put(*store, "key");
  server.pause();
  std::stop_source stop;
  auto reading = std::async(std::launch::async, [&] { return store->get(make_op(stop.get_token()), "key"); });
  EXPECT_EQ(reading.wait_for(Millis(100)), std::future_status::timeout);
  stop.request_stop();
  expect_error(reading.get(), Code::cancelled);  // one that waits for etcd ends with deadline_exceeded
  server.resume();
}

TEST(EtcdStoreTest, a_full_etcd_is_resource_exhausted_and_still_read) {
  EtcdServer server({"--quota-backend-bytes", "4194304"});
  const auto store = server.open_store();
  const std::string value(Store::kMaxValueBytes, 'v');
  Result<Revision> done = Revision{};
  for (int i = 0; i < 20 && done; ++i) done = store->commit(make_op(), {{}, {Put{std::to_string(i), value}}});
  expect_error(done, Code::resource_exhausted);
  EXPECT_NE(done.error().message.find("docs/operations/etcd.md"), std::string::npos) << done.error().message;
  EXPECT_EQ(value_of(*store, "0"), value);
  must(store->commit(make_op(), {{}, {Erase{"0"}}}));  // making room is allowed
}

}  // namespace
}  // namespace volplugin::kv::test
