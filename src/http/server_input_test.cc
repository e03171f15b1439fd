// SPDX-License-Identifier: Apache-2.0
// What bad, slow and too many clients see.
#include "http/raw_socket_for_test.h"
#include "http/server.h"

#include <gmock/gmock.h>

namespace volplugin::http {
namespace {

using namespace test;
using ::testing::HasSubstr;

constexpr Limits kSmall{.header_bytes = 2048, .body_bytes = 4096};

struct Bad {
  const char* name;
  std::string bytes;
  int status;
};

std::string with(std::string_view headers) {
  return fmt::format("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n", headers);
}

std::vector<Bad> bad_requests() {
  const std::string chunked = with("Transfer-Encoding: chunked\r\n");
  return {
      {"length_and_chunked", with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
      {"chunked_and_length", with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + "0\r\n\r\n", 400},
      {"two_lengths", with("Content-Length: 4\r\nContent-Length: 5\r\n") + "abcd", 400},
      {"two_equal_lengths", with("Content-Length: 4\r\nContent-Length: 4\r\n") + "abcd", 400},
      {"length_list", with("Content-Length: 4, 4\r\n") + "abcd", 400},
      {"negative_length", with("Content-Length: -1\r\n"), 400},
      {"plus_length", with("Content-Length: +1\r\n") + "a", 400},
      {"huge_length", with("Content-Length: 100000000000000000000\r\n"), 400},
      {"space_before_colon", with("X-A : b\r\n"), 400},
      {"bare_line_feed", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare_line_feed_in_header", with("X-A: b\nX-C: d\r\n"), 400},
      {"nul_in_header", with(std::string_view("X-A: b\0c\r\n", 10)), 400},
      {"nul_in_target", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 27), 400},
      {"no_host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two_hosts", with("Host: b\r\n"), 400},
      {"empty_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"no_http", "hello\r\n\r\n", 400},
      {"tls", std::string("\x16\x03\x01\x02\x00\x01", 6) + "\r\n\r\n", 400},
      {"http_2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"other_coding", with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"coding_after_chunked", with("Transfer-Encoding: chunked, identity\r\n"), 501},
      {"chunked_twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"chunked_in_1_0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"unknown_expectation", with("Expect: wonders\r\n"), 417},
      {"bad_chunk_size", chunked + "xyz\r\n", 400},
      {"chunk_without_end", chunked + "2\r\nabXX3\r\n", 400},
      {"large_length", with("Content-Length: 4097\r\n"), 413},
      {"large_with_body", with("Content-Length: 2000000\r\n") + std::string(2'000'000, 'x'), 413},
      {"large_chunk", chunked + "1001\r\n" + std::string(4097, 'x') + "\r\n0\r\n\r\n", 413},
      {"large_chunks", chunked + "1000\r\n" + std::string(4096, 'x') + "\r\n1\r\nx\r\n0\r\n\r\n", 413},
      {"large_header", with("X-A: " + std::string(40'000, 'x') + "\r\n"), 431},
      {"large_target", "GET /" + std::string(40'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
      {"large_chunk_extension", chunked + "1;" + std::string(40'000, 'x'), 431},
      {"large_trailer", chunked + "0\r\nX: " + std::string(40'000, 'x'), 431},
  };
}

TEST(ServerInputTest, BadRequestsAreRefusedAndTheConnectionClosed) {
  const Running running(kSmall);
  for (const Bad& bad : bad_requests()) {
    SCOPED_TRACE(bad.name);
    RawSocket socket(running.address);
    // A smuggled second request must never be answered.
    socket.send(bad.bytes + get("/smuggled"));
    const Answer answer = socket.receive();
    EXPECT_EQ(answer.status, bad.status) << answer.body;
    EXPECT_THAT(answer.head, HasSubstr("Content-Type: application/problem+json\r\n"));
    EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer.body, HasSubstr(fmt::format("\"status\":{}", bad.status)));
    socket.disconnect();
  }
}

TEST(ServerInputTest, ManySmallHeadersInManyPiecesAreLimitedToo) {
  const Running running(kSmall);
  RawSocket socket(running.address);
  socket.send("GET / HTTP/1.1\r\nHost: a\r\n");
  for (int i = 0; i < 200; ++i) socket.send(fmt::format("X-{}: {}\r\n", i, std::string(20, 'x')));
  EXPECT_EQ(socket.receive().status, 431);
}

TEST(ServerInputTest, TheWholeRefusalIsReadableBeforeTheBodyWasSent) {
  const Running running;
  RawSocket socket(running.address);
  socket.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + std::string(1'000'000, 'x'));
  EXPECT_EQ(socket.receive().status, 413);
  EXPECT_TRUE(socket.closed());
}

TEST(ServerInputTest, EmptyHostOnlyWhereAllowed) {
  const Running running({.allow_empty_host = true});
  RawSocket socket(running.address);
  socket.send("GET / HTTP/1.1\r\nHost:\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(socket.receive().status, 200);
  EXPECT_EQ(socket.receive().status, 400);
}

TEST(ServerInputTest, SlowRequestIsCutOffHoweverItTrickles) {
  const Running running({.read = 150ms});
  RawSocket socket(running.address);
  const auto start = std::chrono::steady_clock::now();
  socket.send("GET / HTTP/1.1\r\nHost: a\r\n");
  std::atomic<bool> done = false;
  const std::jthread trickle([&] {
    while (!done) {
      socket.send("X: y\r\n");
      ::poll(nullptr, 0, 20);  // the pace of the attack
    }
  });
  EXPECT_EQ(socket.receive().status, 408);
  const auto took = std::chrono::steady_clock::now() - start;
  done = true;
  EXPECT_GE(took, 150ms);
  EXPECT_LT(took, 5s);
}

TEST(ServerInputTest, IdleConnectionIsClosedSilently) {
  const Running running({.idle = 50ms});
  RawSocket fresh(running.address);
  RawSocket used(running.address);
  used.send(get("/"));
  EXPECT_EQ(used.receive().status, 200);
  EXPECT_TRUE(fresh.closed());
  EXPECT_TRUE(used.closed());
  EXPECT_TRUE(fresh.unread().empty());
}

TEST(ServerInputTest, HandlersMayTakeLongerThanTheLimits) {
  Gate gate;
  Running running({.read = 20ms, .write = 20ms, .idle = 20ms},
                  [&](const Request& request, const Reply& reply) {
                    gate.pass();
                    Running::echo(request, reply);
                  });
  RawSocket socket(running.address);
  socket.send(get("/"));
  RawSocket watch(running.address);
  EXPECT_TRUE(watch.closed());  // an idle limit passed
  gate.open();
  EXPECT_EQ(socket.receive().status, 200);
}

TEST(ServerInputTest, AClientThatDoesNotReadIsCutOff) {
  Limits limits;
  limits.write = 100ms;
  std::atomic<int> handled = 0;
  const std::string large(16 << 20, 'x');
  Running running(limits, [&](const Request&, const Reply& reply) {
    ++handled;
    reply.send({.body = large});
  });
  RawSocket socket(running.address);
  socket.send(get("/"));
  ASSERT_TRUE(eventually([&] { return handled == 1; }));
  running.server.stop(kPatience);  // returns when the connection is gone
  EXPECT_EQ(socket.receive().status, 0);
}

TEST(ServerInputTest, TooManyWaitingRequestsAre503) {
  Gate gate;
  Running running({.queued_requests = 2, .handler_threads = 2},
                  [&](const Request& request, const Reply& reply) {
                    gate.pass();
                    Running::echo(request, reply);
                  });
  std::vector<RawSocket> accepted;
  for (int i = 0; i < 4; ++i) {
    accepted.emplace_back(running.address);
    accepted.back().send(get("/"));
    if (i == 1) {
      ASSERT_TRUE(eventually([&] { return gate.waiting() == 2; }));
    }
  }
  RawSocket refused(running.address);
  refused.send(get("/"));
  Answer answer = refused.receive();
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.head, HasSubstr("Retry-After: 1\r\n"));
  gate.open();
  for (RawSocket& socket : accepted) EXPECT_EQ(socket.receive().status, 200);
  refused.send(get("/"));  // kept alive
  EXPECT_EQ(refused.receive().status, 200);
}

TEST(ServerInputTest, ConnectionsAboveTheCapWaitTheirTurn) {
  const Running running({.connections = 2});
  RawSocket first(running.address);
  RawSocket second(running.address);
  first.send(get("/1"));
  second.send(get("/2"));
  EXPECT_EQ(first.receive().status, 200);
  EXPECT_EQ(second.receive().status, 200);
  RawSocket third(running.address);
  third.send(get("/3"));
  pollfd wait{.fd = third.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&wait, 1, 50), 0);
  first.disconnect();
  EXPECT_EQ(third.receive().status, 200);
}

}  // namespace
}  // namespace volplugin::http
