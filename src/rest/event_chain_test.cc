// SPDX-License-Identifier: Apache-2.0
// From a commit to the socket of a listener, all parts real: what everybody sees while others write, come
// and go.
#include "control/event_feed.h"
#include "http/raw_socket_for_test.h"
#include "kv/memory/memory_store.h"
#include "rest/capture_for_test.h"

#include <set>

namespace volplugin::rest {
namespace {

using http::test::eventually;
using http::test::get;
using http::test::RawSocket;

class EventChainTest : public testing::Test {
 protected:
  EventChainTest() {
    address_ = server_.listen("127.0.0.1:0").value();
    EXPECT_TRUE(server_.start());
  }
  Op op() const { return Op(system_clock(), Millis(10'000), "r", "test"); }
  std::uint64_t put(const std::string& name) {
    catalog::Edit edit;
    edit.put(catalog_->nodes, model::Node{model::NodeTag::parse(name).value()});
    return catalog_->commit(op(), std::move(edit)).value();
  }
  RawSocket listen(std::string_view query = "") {
    RawSocket socket(address_);
    socket.send(get(fmt::format("/v1/events{}", query)));
    return socket;
  }
  // Waits until a listener who knows this revision is taken for one who comes back: all before it was sent.
  bool told(std::uint64_t revision) {
    return eventually([&] {
      RawSocket socket = listen(fmt::format("?after={}", revision));
      socket.receive();
      std::array<char, 1> first{};
      return socket.unread().starts_with(':') ||
             (socket.unread().empty() && ::recv(socket.fd(), first.data(), 1, 0) == 1 && first[0] == ':');
    });
  }
  // The ids of all events until the server closes, without that of the first reset.
  static std::vector<std::uint64_t> ids_until_closed(RawSocket& socket) {
    EXPECT_TRUE(socket.closed());
    std::istringstream lines(socket.unread());
    std::vector<std::uint64_t> ids;
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("id: ")) ids.push_back(std::stoull(line.substr(4)));
    if (!ids.empty() && socket.unread().contains("event: reset")) ids.erase(ids.begin());
    return ids;
  }

  kv::MemoryStore store_;
  std::unique_ptr<catalog::Catalog> catalog_ = std::move(*catalog::Catalog::open(op(), store_));
  control::EventFeed feed_{*catalog_, [](const model::NodeName& name) { return name.str() == "up"; }};
  test::StubVolmaster master_;
  Api api_{master_, feed_, system_clock(), "1.2.3"};
  http::Server server_{http::Limits{.handler_threads = 2}, [this](http::Request request, http::Reply reply) {
                         api_.handle(std::move(request), std::move(reply));
                       }};
  std::string address_;
};

TEST_F(EventChainTest, NodesSayWhetherTheyAreConnected) {
  RawSocket socket = listen();
  EXPECT_EQ(socket.receive().status, 200);
  put("up");
  const std::uint64_t last = put("down");
  EXPECT_TRUE(told(last));
  server_.stop();
  EXPECT_TRUE(socket.closed());
  const std::string& text = socket.unread();
  const size_t up = text.find("\"name\":\"up\",\"change\""), down = text.find("\"name\":\"down\",\"change\"");
  ASSERT_LT(up, down);
  ASSERT_NE(down, std::string::npos);
  EXPECT_TRUE(text.substr(up, down - up).contains("\"connected\":true"));
  EXPECT_TRUE(text.substr(down).contains("\"connected\":false"));
}

TEST_F(EventChainTest, NobodyMissesAnythingWhileOthersWriteComeAndGo) {
  constexpr int kWriters = 2, kEach = 100;
  RawSocket first = listen();
  EXPECT_EQ(first.receive().status, 200);
  std::mutex mutex;
  std::set<std::uint64_t> committed;
  {
    std::vector<std::jthread> threads;
    for (int w = 0; w < kWriters; ++w)
      threads.emplace_back([&, w] {
        for (int i = 0; i < kEach; ++i) {
          const std::uint64_t revision = put(fmt::format("n{}-{}", w, i));
          const std::lock_guard lock(mutex);
          committed.insert(revision);
        }
      });
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        RawSocket other = listen(i % 2 == 0 ? "" : "?after=3");
        if (i % 3 != 0) other.receive();
        api_.tick();
      }
    });
  }
  const std::uint64_t last = *committed.rbegin();
  EXPECT_TRUE(told(last));
  server_.stop();
  const auto ids = ids_until_closed(first);
  EXPECT_EQ(std::vector(committed.begin(), committed.end()), ids);
}

}  // namespace
}  // namespace volplugin::rest
