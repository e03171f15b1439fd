// SPDX-License-Identifier: Apache-2.0
// Listening sockets, unix socket files, stop.
#include "http/raw_socket_for_test.h"
#include "http/server.h"

#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace volplugin::http {
namespace {

using namespace test;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::unique_ptr<Server> make_server(Handler handler = Running::echo) {
  return std::make_unique<Server>(Limits{}, std::move(handler));
}

Answer ask(const std::string& address) {
  RawSocket socket(address);
  socket.send(get("/"));
  return socket.receive();
}

// Leaves a socket file that nobody listens at.
void leave_stale(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

size_t entries(const std::string& directory) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

TEST(ListenTest, TcpReportsTheRealPort) {
  const auto server = make_server();
  const auto v4 = server->listen("127.0.0.1:0");
  ASSERT_TRUE(v4);
  EXPECT_THAT(*v4, ::testing::MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]+"));
  const auto name = server->listen("localhost:0");
  ASSERT_TRUE(name);
  EXPECT_THAT(*name, ::testing::MatchesRegex("localhost:[1-9][0-9]+"));
  const auto v6 = server->listen("[::1]:0");
  ASSERT_TRUE(server->start());
  EXPECT_EQ(ask(*v4).status, 200);
  EXPECT_EQ(ask(*name).status, 200);
  if (v6) {  // the machine may have no IPv6
    EXPECT_EQ(ask(*v6).status, 200);
  }
}

TEST(ListenTest, PortInUseIsAnError) {
  const Running running;
  const auto other = make_server()->listen(running.address);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::already_exists);
  EXPECT_THAT(other.error().message, HasSubstr(running.address));
}

TEST(ListenTest, BadAddresses) {
  const auto server = make_server();
  const std::string long_path = "unix:///tmp/" + std::string(120, 'x');
  for (const std::string& address :
       {std::string(""), std::string("80"), std::string(":80"), std::string("host:"),
        std::string("host:65536"), std::string("host:x"), std::string("::1:80"), std::string("a b:80"),
        std::string("unix://"), std::string("unix://relative"), std::string("unix:///dir/"), long_path}) {
    const auto result = server->listen(address);
    ASSERT_FALSE(result) << address;
    EXPECT_EQ(result.error().code, Code::invalid_argument) << address;
  }
}

TEST(ListenTest, ListenAfterStartIsAnError) {
  Running running;
  EXPECT_FALSE(running.server.listen("127.0.0.1:0"));
  EXPECT_FALSE(running.server.start());
}

TEST(UnixSocketTest, ServesWithModeAndMakesTheDirectory) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("a/b/x.sock");
  const mode_t before = ::umask(077);
  const auto server = make_server();
  const auto address = server->listen("unix://" + path, {0660, 12});
  ::umask(before);
  ASSERT_TRUE(address);
  EXPECT_EQ(*address, "unix://" + path);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  EXPECT_EQ(status.st_gid, 12U);
  ASSERT_EQ(::stat(directory.path("a/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755U);
  EXPECT_EQ(entries(directory.path("a/b")), 1U);
  ASSERT_TRUE(server->start());
  EXPECT_EQ(ask(*address).status, 200);
  server->stop();
  EXPECT_FALSE(fs::exists(path));
}

TEST(UnixSocketTest, TellsWhoThePeerIs) {
  const TemporaryDirectory directory;
  Peer peer;
  const auto server = make_server([&](const Request& request, const Reply& reply) {
    peer = request.peer;
    reply.send({});
  });
  const auto address = server->listen("unix://" + directory.path("s"));
  const auto tcp = server->listen("127.0.0.1:0");
  ASSERT_TRUE(server->start());
  EXPECT_EQ(ask(*address).status, 200);
  EXPECT_TRUE(peer.unix_socket);
  EXPECT_EQ(peer.pid, ::getpid());
  EXPECT_EQ(peer.uid, ::getuid());
  EXPECT_EQ(peer.address, "unix");
  EXPECT_EQ(ask(*tcp).status, 200);
  EXPECT_FALSE(peer.unix_socket);
  EXPECT_FALSE(peer.pid);
  EXPECT_THAT(peer.address, ::testing::StartsWith("127.0.0.1:"));
}

TEST(UnixSocketTest, ReplacesAStaleFile) {
  const TemporaryDirectory directory;
  leave_stale(directory.path("s"));
  const auto server = make_server();
  const auto address = server->listen("unix://" + directory.path("s"));
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(entries(directory.path("")), 1U);
  ASSERT_TRUE(server->start());
  EXPECT_EQ(ask(*address).status, 200);
}

TEST(UnixSocketTest, LeavesALiveSocketAlone) {
  const TemporaryDirectory directory;
  const auto first = make_server();
  const auto address = first->listen("unix://" + directory.path("s"));
  ASSERT_TRUE(first->start());
  const auto second = make_server()->listen(*address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::already_exists);
  EXPECT_THAT(second.error().message, HasSubstr(directory.path("s")));
  EXPECT_EQ(ask(*address).status, 200);
  EXPECT_EQ(entries(directory.path("")), 1U);
}

TEST(UnixSocketTest, LeavesOtherFilesAlone) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path("s")) << "precious";
  const auto result = make_server()->listen("unix://" + directory.path("s"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::already_exists);
  EXPECT_EQ(fs::file_size(directory.path("s")), 8U);
}

TEST(UnixSocketTest, ManyStartersHaveOneWinner) {
  const TemporaryDirectory directory;
  for (int round = 0; round < 20; ++round) {
    const std::string address = "unix://" + directory.path(fmt::format("s{}", round));
    if (round % 2 == 0) leave_stale(directory.path(fmt::format("s{}", round)));
    std::vector<std::unique_ptr<Server>> servers;
    for (int i = 0; i < 4; ++i) servers.push_back(make_server());
    std::atomic<int> winners = 0;
    {
      std::vector<std::jthread> threads;
      for (auto& server : servers)
        threads.emplace_back([&, starter = server.get()] { winners += starter->listen(address) ? 1 : 0; });
    }
    EXPECT_EQ(winners, 1) << round;
    EXPECT_TRUE(RawSocket(address).connected());
  }
}

TEST(UnixSocketTest, StopRemovesOnlyItsOwnFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("s");
  const auto first = make_server();
  const auto address = first->listen("unix://" + path);
  ASSERT_TRUE(first->start());
  fs::remove(path);
  const auto second = make_server();
  ASSERT_TRUE(second->listen(*address));
  first->stop();
  EXPECT_TRUE(fs::exists(path));
  second->stop();
  EXPECT_FALSE(fs::exists(path));
}

TEST(UnixSocketTest, LongestPathWorks) {
  const TemporaryDirectory directory;
  const std::string name(107 - directory.path("").size(), 'x');
  const auto server = make_server();
  const auto address = server->listen("unix://" + directory.path(name));
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_TRUE(RawSocket(*address).connected());
}

TEST(AdoptTest, ServesOnAGivenSocketAndLeavesItsFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.path("s");
  leave_stale(path);
  fs::remove(path);
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::strncpy(to.sun_path, path.c_str(), sizeof to.sun_path - 1);
  Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  const auto server = make_server();
  const auto refused = server->adopt(fd.get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  ASSERT_EQ(::listen(fd.get(), 5), 0);
  ASSERT_TRUE(server->adopt(fd.get()));
  std::ignore = fd.release();
  ASSERT_TRUE(server->start());
  EXPECT_EQ(ask("unix://" + path).status, 200);
  server->stop();
  EXPECT_TRUE(fs::exists(path));
}

TEST(StopTest, LetsRunningHandlersFinish) {
  Gate gate;
  Running running({}, [&](const Request& request, const Reply& reply) {
    gate.pass();
    Running::echo(request, reply);
  });
  RawSocket busy(running.address);
  RawSocket idle(running.address);
  RawSocket partial(running.address);
  partial.send("GET / HT");
  busy.send(get("/busy"));
  ASSERT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  std::jthread stopper([&] { running.server.stop(kPatience); });
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(partial.closed());
  EXPECT_TRUE(eventually([&] { return !RawSocket(running.address).connected(); }));
  gate.open();
  const Answer answer = busy.receive();
  EXPECT_EQ(answer.body, "GET /busy  ");
  EXPECT_THAT(answer.head, HasSubstr("Connection: close"));
}

TEST(StopTest, AfterTheGraceHandlersAreAskedToStop) {
  std::latch entered(1);
  Running running({}, [&](const Request& request, const Reply& reply) {
    std::latch gone(1);
    const std::stop_callback callback(request.gone, [&] { gone.count_down(); });
    entered.count_down();
    gone.wait();
    reply.send({.body = "nobody reads this"});
  });
  RawSocket socket(running.address);
  socket.send(get("/"));
  entered.wait();
  running.server.stop(10ms);
  EXPECT_EQ(socket.receive().status, 0);
}

TEST(StopTest, RepliesOutliveTheServer) {
  Shelf shelf;
  RawSocket socket = [&] {
    Running running({}, [&](const Request&, Reply reply) { shelf.put(std::move(reply)); });
    RawSocket client(running.address);
    client.send(get("/"));
    EXPECT_TRUE(eventually([&] { return shelf.size() == 1; }));
    running.server.stop(0ms);
    return client;
  }();
  EXPECT_EQ(socket.receive().status, 0);
  std::vector<Reply> late = shelf.take();
  late.front().send({.body = "late"});
  late.front().abandon();
}

TEST(StopTest, StopWhileAnswersArriveFromOtherThreads) {
  for (int round = 0; round < 10; ++round) {
    Shelf shelf;
    Running running({}, [&](const Request&, Reply reply) { shelf.put(std::move(reply)); });
    std::vector<RawSocket> sockets;
    for (int i = 0; i < 20; ++i) {
      sockets.emplace_back(running.address);
      sockets.back().send(get("/"));
    }
    ASSERT_TRUE(eventually([&] { return shelf.size() == 20; }));
    const std::jthread answering([replies = shelf.take()] {
      for (const Reply& reply : replies) reply.send({.body = "x"});
    });
    running.server.stop(round % 2 == 0 ? 0ms : 1'000ms);
  }
}

TEST(StopTest, IsIdempotentAndNeedsNoStart) {
  const TemporaryDirectory directory;
  const auto server = make_server();
  ASSERT_TRUE(server->listen("unix://" + directory.path("s")));
  server->stop();
  server->stop();
  EXPECT_FALSE(fs::exists(directory.path("s")));
  EXPECT_FALSE(server->start());
}

}  // namespace
}  // namespace volplugin::http
