// SPDX-License-Identifier: Apache-2.0
// What a well-behaved client sees: requests, answers, keep-alive, late answers.
#include "http/server.h"

#include "http/raw_socket_for_test.h"

#include <gmock/gmock.h>

namespace volplugin::http {
namespace {

using namespace test;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ServerTest, AnswersWithWhatWasSent) {
  const Running running;
  RawSocket socket(running.address);
  socket.send("POST /a/b%2Fc?x=1&y HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
  const Answer answer = socket.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "POST /a/b%2Fc x=1&y hello");
  EXPECT_THAT(answer.head, HasSubstr("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"));
  EXPECT_THAT(answer.head, Not(HasSubstr("Connection")));
}

TEST(ServerTest, KeepsTheConnectionForTheNextRequest) {
  const Running running;
  RawSocket socket(running.address);
  for (int i = 0; i < 20; ++i) {
    socket.send(get(fmt::format("/{}", i)));
    EXPECT_EQ(socket.receive().body, fmt::format("GET /{}  ", i));
  }
}

TEST(ServerTest, AnswersPipelinedRequestsInOrder) {
  const Running running;
  RawSocket socket(running.address);
  std::string all;
  for (int i = 0; i < 300; ++i) all += get(fmt::format("/{}", i));
  socket.send(all);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(socket.receive().body, fmt::format("GET /{}  ", i));
}

TEST(ServerTest, PipelinedRequestWaitsForTheFormerAnswer) {
  Shelf shelf;
  std::atomic<int> handled = 0;
  Running running({}, [&](const Request& request, const Reply& reply) {
    ++handled;
    request.path == "/slow" ? shelf.put(reply) : Running::echo(request, reply);
  });
  RawSocket socket(running.address);
  socket.send(get("/slow") + get("/fast"));
  ASSERT_TRUE(eventually([&] { return shelf.size() == 1; }));
  EXPECT_EQ(handled, 1);
  shelf.take().front().send({.body = "slow"});
  EXPECT_EQ(socket.receive().body, "slow");
  EXPECT_EQ(socket.receive().body, "GET /fast  ");
}

TEST(ServerTest, ReadsChunkedBodiesAndIgnoresTrailers) {
  const Running running({}, [](const Request& request, const Reply& reply) {
    reply.send({.body = fmt::format("{} from {}", request.body, request.header("host"))});
  });
  RawSocket socket(running.address);
  socket.send("PUT /c HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
  socket.send("3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\nHost: other\r\n\r\n" + get("/next"));
  EXPECT_EQ(socket.receive().body, "abcdefg from test");
  EXPECT_EQ(socket.receive().body, " from test");
}

TEST(ServerTest, UnderstandsRequestsByteByByte) {
  const Running running;
  RawSocket socket(running.address);
  for (const char c : std::string("\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"))
    socket.send(std::string_view(&c, 1));
  EXPECT_EQ(socket.receive().body, "POST /x  abc");
}

TEST(ServerTest, HeadHasTheLengthButNoBody) {
  const Running running;
  RawSocket socket(running.address);
  socket.send("HEAD /h HTTP/1.1\r\nHost: test\r\n\r\n" + get("/next"));
  EXPECT_THAT(socket.receive(true).head, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_EQ(socket.receive().body, "GET /next  ");
}

TEST(ServerTest, NoContentHasNoBody) {
  const Running running({}, [](const Request&, const Reply& reply) { reply.send({.status = 204}); });
  RawSocket socket(running.address);
  socket.send(get("/") + get("/"));
  EXPECT_THAT(socket.receive().head, Not(HasSubstr("Content-")));
  EXPECT_EQ(socket.receive().status, 204);
}

TEST(ServerTest, SendsContinueWhenAsked) {
  const Running running;
  RawSocket socket(running.address);
  socket.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(socket.receive().status, 100);
  socket.send("ok");
  EXPECT_EQ(socket.receive().body, "POST /  ok");
}

TEST(ServerTest, ClosesWhenTheClientWantsIt) {
  const Running running;
  RawSocket modern(running.address);
  modern.send(get("/", "Connection: close\r\n"));
  EXPECT_THAT(modern.receive().head, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(modern.closed());
  RawSocket old(running.address);
  old.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive().status, 200);
  EXPECT_TRUE(old.closed());
}

TEST(ServerTest, ClosesAfterEachAnswerWithoutKeepAlive) {
  const Running running(Limits{.keep_alive = false});
  RawSocket socket(running.address);
  socket.send(get("/"));
  const auto answer = socket.receive();
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.head, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(socket.closed());
}

TEST(ServerTest, AnswersAClientThatClosedItsSendingHalf) {
  const Running running;
  RawSocket socket(running.address);
  socket.send(get("/1") + get("/2"));
  socket.finish_sending();
  EXPECT_EQ(socket.receive().body, "GET /1  ");
  EXPECT_EQ(socket.receive().body, "GET /2  ");
  EXPECT_TRUE(socket.closed());
}

TEST(ServerTest, AcceptsAbsoluteTargets) {
  const Running running;
  RawSocket socket(running.address);
  socket.send(
      "GET http://host/p?q HTTP/1.1\r\nHost: host\r\n\r\nGET http://host HTTP/1.1\r\nHost: host\r\n\r\n");
  EXPECT_EQ(socket.receive().body, "GET /p q ");
  EXPECT_EQ(socket.receive().body, "GET /  ");
}

TEST(ServerTest, LargeAnswersArriveWhole) {
  const std::string large(8 << 20, 'x');
  const Running running({}, [&](const Request&, const Reply& reply) { reply.send({.body = large}); });
  RawSocket socket(running.address);
  socket.send(get("/"));
  EXPECT_EQ(socket.receive().body, large);
}

TEST(ServerTest, HandlerExceptionIs500AndTheServerLives) {
  const Running running({}, [](const Request& request, const Reply& reply) {
    if (request.path == "/throw") throw std::runtime_error("broken \"thing\"");
    if (request.path == "/odd") throw 42;
    reply.send({.body = "fine"});
  });
  RawSocket socket(running.address);
  socket.send(get("/throw") + get("/odd") + get("/"));
  const Answer answer = socket.receive();
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.head, HasSubstr("application/problem+json"));
  EXPECT_THAT(answer.body, HasSubstr(R"(broken \"thing\")"));
  EXPECT_EQ(socket.receive().status, 500);
  EXPECT_EQ(socket.receive().body, "fine");
}

TEST(ServerTest, RefusesToSendSplitHeaders) {
  const std::vector<std::pair<std::string, std::string>> bad{{"X-A", "1\r\nX-B: 2"},
                                                             {"X-A", std::string("a\0b", 3)},
                                                             {"X A", "1"},
                                                             {"", "1"},
                                                             {"Content-Length", "0"}};
  const Running running({}, [&](const Request& request, const Reply& reply) {
    Response response{.body = "secret"};
    response.headers.push_back(bad[static_cast<size_t>(std::stoi(request.query))]);
    reply.send(std::move(response));
  });
  RawSocket socket(running.address);
  for (size_t i = 0; i < bad.size(); ++i) {
    socket.send(get(fmt::format("/?{}", i)));
    const Answer answer = socket.receive();
    EXPECT_EQ(answer.status, 500) << i;
    EXPECT_THAT(answer.head, Not(HasSubstr("X-B")));
    EXPECT_THAT(answer.body, Not(HasSubstr("secret")));
  }
}

TEST(ServerTest, DroppedReplyClosesTheConnection) {
  const Running running({}, [](const Request&, const Reply&) {});
  RawSocket socket(running.address);
  socket.send(get("/"));
  EXPECT_EQ(socket.receive().status, 0);
}

TEST(ServerTest, AbandonedReplyClosesAndTheSecondAnswerIsIgnored) {
  const Running running({}, [](const Request& request, const Reply& reply) {
    if (request.path == "/abandon") reply.abandon();
    reply.send({.body = "first"});
    reply.send({.body = "second"});
    reply.abandon();
  });
  RawSocket abandoned(running.address);
  abandoned.send(get("/abandon"));
  EXPECT_EQ(abandoned.receive().status, 0);
  RawSocket socket(running.address);
  socket.send(get("/") + get("/"));
  EXPECT_EQ(socket.receive().body, "first");
  EXPECT_EQ(socket.receive().body, "first");
}

TEST(ServerTest, ManyLongPollsNeedNoThreads) {
  Shelf shelf;
  Running running({.handler_threads = 2}, [&](const Request&, Reply reply) { shelf.put(std::move(reply)); });
  std::vector<RawSocket> sockets;
  for (int i = 0; i < 100; ++i) {
    sockets.emplace_back(running.address);
    sockets.back().send(get("/watch"));
  }
  ASSERT_TRUE(eventually([&] { return shelf.size() == 100; }));
  const std::jthread other([&] {
    for (const Reply& reply : shelf.take()) reply.send({.body = "changed"});
  });
  for (RawSocket& socket : sockets) EXPECT_EQ(socket.receive().body, "changed");
}

TEST(ServerTest, TellsTheHandlerThatThePeerIsGone) {
  Shelf shelf;
  std::mutex mutex;
  std::stop_token gone;
  Running running({}, [&](const Request& request, Reply reply) {
    const std::lock_guard lock(mutex);
    gone = request.gone;
    shelf.put(std::move(reply));
  });
  RawSocket socket(running.address);
  socket.send(get("/1") + get("/2"));  // pipelined bytes must not hide the end
  ASSERT_TRUE(eventually([&] { return shelf.size() == 1; }));
  EXPECT_FALSE(gone.stop_requested());
  socket.disconnect();
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return gone.stop_requested();
  }));
  shelf.take().front().send({.body = "too late"});
  running.server.stop(0ms);  // the second request is never answered
}

TEST(ServerTest, NotGoneAfterTheAnswer) {
  std::mutex mutex;
  std::stop_token gone;
  Running running({}, [&](const Request& request, const Reply& reply) {
    const std::lock_guard lock(mutex);
    gone = request.gone;
    reply.send({});
  });
  RawSocket socket(running.address);
  socket.send(get("/"));
  EXPECT_EQ(socket.receive().status, 200);
  socket.disconnect();
  running.server.stop();
  EXPECT_FALSE(gone.stop_requested());
}

TEST(ServerTest, FiveHundredIdleConnectionsDoNotDisturb) {
  const Running running;
  std::vector<RawSocket> idle;
  idle.reserve(500);
  for (int i = 0; i < 500; ++i) idle.emplace_back(running.address);
  std::vector<std::jthread> active;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 8; ++i) {
    active.emplace_back([&] {
      RawSocket socket(running.address);
      for (int n = 0; n < 50; ++n) {
        socket.send(get("/"));
        if (socket.receive().status == 200) ++answered;
      }
    });
  }
  active.clear();
  EXPECT_EQ(answered, 400);
  for (RawSocket& socket : idle) {
    socket.send(get("/"));
    ASSERT_EQ(socket.receive().status, 200);
  }
}

}  // namespace
}  // namespace volplugin::http
