// SPDX-License-Identifier: Apache-2.0
// Answers that go on: written from any thread, to listeners that read, do not read, or leave.
#include "http/raw_socket_for_test.h"
#include "http/server.h"

#include <gmock/gmock.h>

namespace volplugin::http {
namespace {

using namespace test;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr size_t kRoom = size_t{1} << 20;

Stream::Text text(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

// A server whose handler begins a stream for each request and keeps it.
class StreamTest : public ::testing::Test {
 protected:
  Stream stream(size_t index = 0) {
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex_);
      return streams_.size() > index;
    }));
    const std::lock_guard lock(mutex_);
    return streams_[index];
  }
  void forget_streams() {
    const std::lock_guard lock(mutex_);
    streams_.clear();
  }
  RawSocket listen(std::string_view request = get("/")) {
    RawSocket socket(running_.address);
    socket.send(request);
    return socket;
  }
  // All that comes until the server closes.
  static std::string all_of(RawSocket& socket) {
    EXPECT_TRUE(socket.closed());
    return socket.unread();
  }

  std::mutex mutex_;
  std::vector<Stream> streams_;
  std::atomic<int> left_ = 0;
  size_t room_ = kRoom;
  Running running_{
      Limits{.handler_threads = 2, .write = 60'000ms}, [this](const Request& request, const Reply& reply) {
        Stream begun = reply.stream(
            {.content_type = "text/plain", .headers = {{"X-A", "b"}}, .body = "never sent"}, room_);
        const std::lock_guard lock(mutex_);
        gone_.push_back(request.gone);
        streams_.push_back(std::move(begun));
      }};
  std::vector<std::stop_token> gone_;
};

TEST_F(StreamTest, TextsComeInOrderUntilTheEnd) {
  RawSocket socket = listen();
  const Stream open = stream();
  EXPECT_TRUE(open.is_open());
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(open.write(text(fmt::format("{},", i))));
  open.end();
  EXPECT_FALSE(open.is_open());
  EXPECT_FALSE(open.write(text("late")));
  const std::string answer = all_of(socket);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nX-A: b\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length")));
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += fmt::format("{},", i);
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), expected);
}

TEST_F(StreamTest, HeadComesBeforeAnyText) {
  RawSocket socket = listen();
  std::array<char, 1024> bytes;
  pollfd readable{.fd = socket.fd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
  ASSERT_GT(::recv(socket.fd(), bytes.data(), bytes.size(), 0), 0);
  EXPECT_TRUE(stream().is_open());
}

TEST_F(StreamTest, LastHandleEndsIt) {
  RawSocket socket = listen();
  stream().write(text("all"));
  forget_streams();
  EXPECT_THAT(all_of(socket), EndsWith("\r\n\r\nall"));
}

TEST_F(StreamTest, ListenersDoNotHoldThreads) {
  std::vector<RawSocket> sockets;
  for (size_t i = 0; i < 20; ++i) sockets.push_back(listen());  // the server has two handler threads
  for (size_t i = 0; i < 20; ++i) stream(i).write(text("x"));
  forget_streams();
  for (auto& socket : sockets) EXPECT_THAT(all_of(socket), EndsWith("\r\n\r\nx"));
}

TEST_F(StreamTest, OneThatDoesNotReadIsClosedAndHoldsUpNobody) {
  RawSocket slow = listen();
  const Stream to_slow = stream(0);
  RawSocket other = listen();
  const Stream to_other = stream(1);
  const Stream::Text block = text(std::string(64 << 10, 'x'));
  size_t blocks = 0;
  // The kernel's buffers take some megabytes.
  while (to_slow.write(block) && blocks < 10'000) ++blocks;
  EXPECT_LT(blocks, 10'000U);
  EXPECT_FALSE(to_slow.is_open());
  EXPECT_TRUE(to_other.write(text("still here")));
  to_other.end();
  EXPECT_THAT(all_of(other), EndsWith("still here"));
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex_);
    return gone_[0].stop_requested();
  }));
}

TEST_F(StreamTest, ReaderThatIsLateGetsAllThatHadRoom) {
  RawSocket socket = listen();
  const Stream open = stream();
  const Stream::Text block = text(std::string(100'000, 'x'));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(open.write(block));
  open.end();
  const std::string answer = all_of(socket);
  EXPECT_EQ(answer.size() - (answer.find("\r\n\r\n") + 4), 1'000'000U);
}

// Each text goes out by itself, and what went out makes room again.
TEST_F(StreamTest, ReaderThatKeepsUpGetsMoreThanItsRoom) {
  RawSocket socket = listen();
  ASSERT_EQ(socket.receive().status, 200);
  const Stream open = stream();
  const Stream::Text block = text(std::string(kRoom / 4, 'x'));
  std::vector<char> bytes(block->size());
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(open.write(block)) << i;
    ASSERT_EQ(::recv(socket.fd(), bytes.data(), bytes.size(), MSG_WAITALL),
              static_cast<ssize_t>(bytes.size()))
        << i;
  }
}

TEST_F(StreamTest, PeerThatLeavesIsNoticed) {
  RawSocket socket = listen();
  const Stream open = stream();
  ASSERT_TRUE(open.write(text("x")));
  socket.disconnect();
  EXPECT_TRUE(eventually([&] { return !open.is_open(); }));
  EXPECT_FALSE(open.write(text("y")));
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(gone_[0].stop_requested());
}

TEST_F(StreamTest, ServerThatStopsEndsStreamsAtOnce) {
  std::vector<RawSocket> sockets;
  for (size_t i = 0; i < 3; ++i) sockets.push_back(listen());
  const Stream writing = stream(0), idle = stream(1), full = stream(2);
  const Stream::Text block = text(std::string(64 << 10, 'x'));
  std::atomic<bool> stopped = false;
  std::jthread writer([&] {
    while (!stopped) std::ignore = writing.write(text("x"));
  });
  for (int i = 0; i < 10; ++i) full.write(block);
  running_.server.stop(60'000ms);  // would wait so long for an answer
  stopped = true;
  EXPECT_TRUE(sockets[1].closed());
  EXPECT_FALSE(idle.is_open());
  EXPECT_FALSE(idle.write(text("late")));
  EXPECT_FALSE(full.is_open());
}

TEST_F(StreamTest, WritersAtOnceWithReadersThatComeAndGo) {
  std::atomic<bool> stopped = false;
  std::vector<std::jthread> writers;
  for (int i = 0; i < 3; ++i)
    writers.emplace_back([&] {
      while (!stopped) {
        std::vector<Stream> all;
        {
          const std::lock_guard lock(mutex_);
          all = streams_;
        }
        for (const Stream& one : all) one.write(text("event\n"));
        std::this_thread::yield();
      }
    });
  for (size_t i = 0; i < 20; ++i) {
    RawSocket socket = listen();
    const Stream mine = stream(i);
    if (i % 2 == 0) mine.end();
    if (i % 3 == 0) socket.disconnect();
  }
  stopped = true;
  writers.clear();
  forget_streams();
}

TEST_F(StreamTest, HeadRequestGetsTheHeadAndTheStreamIsClosed) {
  RawSocket socket = listen("HEAD / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(all_of(socket), EndsWith("\r\n\r\n"));
  EXPECT_FALSE(stream().is_open());
}

}  // namespace
}  // namespace volplugin::http
