// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include "http/listener.h"
#include "http/raw_socket_for_test.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <netinet/in.h>

namespace volplugin::http {
namespace {

using namespace test;
using ::testing::HasSubstr;

std::unique_ptr<Client> connect_to(const std::string& address) {
  auto client = Client::open(address);
  EXPECT_TRUE(client);
  return std::move(*client);
}

// A server made of a script: accepts one connection after the other and runs `serve` on it.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<void(int connection, int fd)> serve) {
    auto listener = open_listener(*parse_address("127.0.0.1:0"), {});
    listener_ = std::move(*listener);
    thread_ = std::jthread([this, serve = std::move(serve)](const std::stop_token& stop) {
      for (int i = 0; !stop.stop_requested();) {
        pollfd wait{.fd = listener_.fd.get(), .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, 5) != 1) continue;
        const Fd fd(::accept(listener_.fd.get(), nullptr, nullptr));
        if (fd) serve(i++, fd.get());
        ++connections_;
      }
    });
  }
  const std::string& address() const { return listener_.address; }
  int connections() const { return connections_; }

  // Reads until the end of a request header (the requests here have no body) or of the connection.
  static bool read_request(int fd) {
    std::string got;
    char c = 0;
    while (!got.ends_with("\r\n\r\n")) {
      if (::recv(fd, &c, 1, 0) != 1) return false;
      got += c;
    }
    return true;
  }
  static void write(int fd, std::string_view bytes) { ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

 private:
  Listener listener_;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;
};

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(ClientTest, SendsEverythingOverTcpAndUnixSockets) {
  const TemporaryDirectory directory;
  std::string seen;
  Server server({}, [&](const Request& request, const Reply& reply) {
    seen = request.header("x-test");
    Response response{.status = 201, .headers = {{"X-Reply", " a: b "}}};
    response.body = fmt::format("{} {}?{} {} [{}]", request.method, request.path, request.query, request.body,
                                request.header("content-type"));
    reply.send(std::move(response));
  });
  const auto tcp = server.listen("127.0.0.1:0");
  const auto local = server.listen("unix://" + directory.path("s"));
  ASSERT_TRUE(server.start());
  for (const std::string& address : {*tcp, *local}) {
    const auto client = connect_to(address);
    EXPECT_EQ(client->address(), address);
    for (const std::string method : {"PUT", "POST", "DELETE", "PATCH", "GET"}) {
      const auto response = client->send(
          op(),
          {.method = method, .target = "/a/../b%20c?d=e", .headers = {{"X-Test", method}}, .body = "data"});
      ASSERT_TRUE(response) << response.error().message;
      EXPECT_EQ(response->status, 201);
      EXPECT_EQ(response->header("x-reply"), "a: b");
      EXPECT_EQ(response->body, method + " /a/../b%20c?d=e data []");
      EXPECT_EQ(seen, method);
    }
  }
}

TEST(ClientTest, WithoutBody) {
  const Running running;
  const auto client = connect_to(running.address);
  for (const std::string method : {"GET", "POST", "PUT", "DELETE", "OPTIONS"})
    EXPECT_EQ(client->send(op(), {.method = method, .target = "/x"})->body, method + " /x  ");
  const auto head = client->send(op(), {.method = "HEAD", .target = "/x"});
  EXPECT_EQ(head->header("content-length"), "9");
  EXPECT_EQ(head->body, "");
}

TEST(ClientTest, LargeBodiesBothWays) {
  const Running running({.body_bytes = 8 << 20});
  const std::string body(4 << 20, 'b');
  const auto response =
      connect_to(running.address)->send(op(), {.method = "POST", .target = "/", .body = body});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "POST /  " + body);
}

TEST(ClientTest, KeepsConnectionsAliveAndWorksFromManyThreads) {
  std::mutex mutex;
  std::vector<std::string> peers;
  Running running({}, [&](const Request& request, const Reply& reply) {
    {
      const std::lock_guard lock(mutex);
      if (std::ranges::find(peers, request.peer.address) == peers.end())
        peers.push_back(request.peer.address);
    }
    Running::echo(request, reply);
  });
  const auto client = connect_to(running.address);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 25; ++n)
          if (client->send(op(), {.method = "POST", .target = "/", .body = "x"})) ++good;
      });
    }
  }
  EXPECT_EQ(good, 100);
  EXPECT_LE(peers.size(), 4U);
}

TEST(ClientTest, RefusedConnectionsHadNoEffect) {
  const TemporaryDirectory directory;
  std::string free_port;
  {
    const Running running;
    free_port = running.address;
  }
  for (const std::string& address : {free_port, "unix://" + directory.path("missing")}) {
    const auto result = connect_to(address)->send(op(), {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::unavailable);
    EXPECT_EQ(result.error().effect, Effect::none);
    EXPECT_THAT(result.error().message, HasSubstr("cannot connect to " + address + ": "));
  }
  const auto refused = connect_to(free_port)->send(op(), {});
  EXPECT_THAT(refused.error().message, HasSubstr("Connection refused"));
}

TEST(ClientTest, UnknownHost) {
  const auto result = connect_to("no..host:1")->send(op(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::unavailable);
  EXPECT_EQ(result.error().effect, Effect::none);
}

TEST(ClientTest, DroppedConnectionHadAnUnknownEffect) {
  const Running running({}, [](const Request&, const Reply&) {});
  const auto result = connect_to(running.address)->send(op(), {.method = "POST", .body = "x"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::unavailable);
  EXPECT_EQ(result.error().effect, Effect::unknown);
  EXPECT_THAT(result.error().message, HasSubstr(running.address));
}

TEST(ClientTest, TruncatedAnswerHadAnUnknownEffect) {
  const ScriptedServer server([](int, int fd) {
    ScriptedServer::read_request(fd);
    ScriptedServer::write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  const auto result = connect_to(server.address())->send(op(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::unavailable);
  EXPECT_EQ(result.error().effect, Effect::unknown);
}

TEST(ClientTest, AnswerThatIsNoHttpIsCorrupt) {
  const ScriptedServer server([](int, int fd) {
    ScriptedServer::read_request(fd);
    ScriptedServer::write(fd, "SSH-2.0-OpenSSH\r\n");
  });
  const auto result = connect_to(server.address())->send(op(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::corrupt);
  EXPECT_EQ(result.error().effect, Effect::unknown);
}

// The server reads the second request of the connection and dies before it answers.
ScriptedServer dying_server() {
  return ScriptedServer([](int connection, int fd) {
    if (!ScriptedServer::read_request(fd)) return;
    ScriptedServer::write(fd, kOk);
    if (connection == 0) ScriptedServer::read_request(fd);
  });
}

TEST(ClientTest, RequestLostOnAKeptConnectionIsNotRepeated) {
  const ScriptedServer server = dying_server();
  const auto client = connect_to(server.address());
  ASSERT_TRUE(client->send(op(), {.method = "POST"}));
  const auto result = client->send(op(), {.method = "POST"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::unavailable);
  EXPECT_EQ(result.error().effect, Effect::unknown);
  EXPECT_TRUE(client->send(op(), {.method = "DELETE"}));  // on a new connection
}

TEST(ClientTest, GetLostOnAKeptConnectionIsRepeatedOnce) {
  const ScriptedServer server = dying_server();
  const auto client = connect_to(server.address());
  ASSERT_TRUE(client->send(op(), {}));
  EXPECT_TRUE(client->send(op(), {}));
}

TEST(ClientTest, RestartedServerIsNoErrorForAnIdleConnection) {
  const TemporaryDirectory directory;
  const std::string address = "unix://" + directory.path("s");
  const auto client = connect_to(address);
  for (int i = 0; i < 3; ++i) {
    Server server({}, Running::echo);
    ASSERT_TRUE(server.listen(address));
    ASSERT_TRUE(server.start());
    EXPECT_TRUE(client->send(op(), {.method = "POST"}));
    EXPECT_TRUE(client->send(op(), {.method = "POST"}));
  }
  const auto stopped = client->send(op(), {.method = "POST"});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::unavailable);
  EXPECT_EQ(stopped.error().effect, Effect::none);
}

TEST(ClientTest, DeadlineEndsTheWait) {
  Shelf shelf;
  Running running({}, [&](const Request&, Reply reply) { shelf.put(std::move(reply)); });
  const auto client = connect_to(running.address);
  const auto result = client->send(op(50ms), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::deadline_exceeded);
  EXPECT_EQ(result.error().effect, Effect::unknown);
  const auto before = client->send(op(0ms), {});
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, Code::deadline_exceeded);
  EXPECT_EQ(before.error().effect, Effect::none);
  shelf.take();
}

TEST(ClientTest, StopTokenEndsTheWaitAtOnce) {
  Shelf shelf;
  std::atomic<bool> gone = false;
  Running running({}, [&](const Request& request, Reply reply) {
    shelf.put(std::move(reply));
    std::latch left(1);
    const std::stop_callback callback(request.gone, [&] { left.count_down(); });
    left.wait();
    gone = true;
  });
  const auto client = connect_to(running.address);
  std::stop_source source;
  const std::jthread stopper([&] {
    eventually([&] { return shelf.size() == 1; });
    source.request_stop();
  });
  const auto result = client->send(op(kPatience, source.get_token()), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::cancelled);
  EXPECT_EQ(result.error().effect, Effect::unknown);
  EXPECT_TRUE(eventually([&] { return gone.load(); }));  // the connection was closed too
  shelf.take();
}

TEST(ClientTest, IgnoresInterimAnswersAndRedirects) {
  const ScriptedServer server([](int, int fd) {
    ScriptedServer::read_request(fd);
    ScriptedServer::write(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
    ScriptedServer::write(fd, "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
  });
  const auto response = connect_to(server.address())->send(op(), {});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(response->header("x-early"), "");
  EXPECT_EQ(response->header("location"), "/b");
}

TEST(ClientTest, IgnoresProxiesOfTheEnvironment) {
  ASSERT_EQ(::setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
  const Running running;
  EXPECT_TRUE(connect_to(running.address)->send(op(), {}));
  ::unsetenv("http_proxy");
}

TEST(ClientTest, TooLargeAnswer) {
  const Running running(
      {}, [](const Request&, const Reply& reply) { reply.send({.body = std::string((64 << 20) + 1, 'x')}); });
  const auto result = connect_to(running.address)->send(op(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::resource_exhausted);
}

TEST(ClientTest, RefusesRequestsThatCouldBeTwo) {
  const auto client = connect_to("127.0.0.1:1");
  for (const ClientRequest& request :
       {ClientRequest{.method = "GET /\r\n"}, ClientRequest{.method = ""}, ClientRequest{.target = "x"},
        ClientRequest{.target = "/a b"}, ClientRequest{.target = "/\r\n"},
        ClientRequest{.target = "/", .headers = {{"X", "a\r\nY: b"}}},
        ClientRequest{.target = "/", .headers = {{"X: y", "a"}}}}) {
    const auto result = client->send(op(), request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::invalid_argument);
    EXPECT_EQ(result.error().effect, Effect::none);
  }
}

TEST(ClientTest, BadAddresses) {
  EXPECT_EQ(Client::open("nowhere").error().code, Code::invalid_argument);
  EXPECT_EQ(Client::open("http://host:80").error().code, Code::invalid_argument);
}

TEST(HttpClientTest, WhatIsFollowedMayNotGoSilent) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
  const ScriptedServer server([&](int, int fd) {
    ScriptedServer::read_request(fd);
    ScriptedServer::write(fd, head + "one");
    char c = 0;
    ::recv(fd, &c, 1, 0);  // until the client has gone
  });
  const auto client = connect_to(server.address());
  std::string got;
  const Following following{[&](std::string_view part) {
                              got += part;
                              return true;
                            },
                            Millis(300)};
  const auto silent = client->follow(Op(system_clock(), Millis(20'000), "id", "test"), {}, following);
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Code::unavailable);
  EXPECT_THAT(silent.error().message, HasSubstr("says nothing any more"));
  EXPECT_EQ(got, "one");
}

}  // namespace
}  // namespace volplugin::http
