// SPDX-License-Identifier: Apache-2.0
// For the tests of this folder: a bare socket that can send anything, a temporary directory, and waiting
// for a condition with a deadline.
#pragma once

#include "http/address.h"
#include "http/client.h"
#include "http/fd.h"
#include "http/server.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <latch>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

namespace volplugin::http::test {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPatience{10'000};  // only a defect waits that long

// Polls `condition`: for states that cannot be waited for otherwise.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "vp-http-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

struct Answer {
  int status = 0;  // 0: the connection ended before a complete answer
  std::string head;
  std::string body;
};

class RawSocket {
 public:
  // `address` as Server::listen() returns it.
  explicit RawSocket(const std::string& address);

  void send(std::string_view bytes);
  // Reads one answer; no body for HEAD.
  Answer receive(bool head = false);
  // Reads until the peer closes (true) or the patience ends (false).
  bool closed();
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void disconnect() { fd_ = Fd(); }
  int fd() const { return fd_.get(); }
  bool connected() const { return connected_; }
  const std::string& unread() const { return buffer_; }

 private:
  bool fill();  // false at the end

  Fd fd_;
  bool connected_ = false;
  std::string buffer_;
};

// A request with the Host header it needs.
inline std::string get(std::string_view path, std::string_view headers = {}) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: test\r\n{}\r\n", path, headers);
}

inline Op op(std::chrono::milliseconds timeout = kPatience, std::stop_token stop = {}) {
  return Op(system_clock(), timeout, "test", "test", std::move(stop));
}

// A server on a port of its own. The default handler answers with method, path, query and body.
class Running {
 public:
  explicit Running(Limits limits = {}, Handler handler = echo) : server(limits, std::move(handler)) {
    auto real = server.listen("127.0.0.1:0");
    EXPECT_TRUE(real);
    address = *real;
    EXPECT_TRUE(server.start());
  }

  static void echo(const Request& request, const Reply& reply) {
    reply.send({.status = 200,
                .content_type = "text/plain",
                .headers = {},
                .body = request.method + " " + request.path + " " + request.query + " " + request.body});
  }

  Server server;
  std::string address;
};

// Handlers wait at it until the test opens it.
class Gate {
 public:
  void open() { opened_.count_down(); }
  void pass() {
    ++waiting_;
    opened_.wait();
  }
  int waiting() const { return waiting_; }

 private:
  std::latch opened_{1};
  std::atomic<int> waiting_ = 0;
};

// Keeps the replies of handlers that answer later.
class Shelf {
 public:
  void put(Reply reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
  }
  std::vector<Reply> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<Reply> replies_;
};

}  // namespace volplugin::http::test
