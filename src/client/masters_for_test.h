// SPDX-License-Identifier: Apache-2.0
// For the tests of this folder: three real servers that can be away, hang or break off.
#pragma once

#include "client/masters.h"
#include "http/server.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace volplugin::client {

constexpr Patience kShort{Millis(100), Millis(700)};

inline http::Response problem(int status, std::string_view code, std::string_view detail) {
  return {.status = status,
          .content_type = "application/problem+json",
          .headers = {},
          .body = fmt::format(R"({{"code":"{}","detail":"{}"}})", code, detail)};
}

// One volmaster. What it is asked is noted as "PUT /path", signs of life apart.
class Master {
 public:
  explicit Master(std::string address) : address_(std::move(address)) { start(); }
  ~Master() { stop(); }

  void start() {
    server_ = std::make_unique<http::Server>(
        http::Limits{},
        [this](const http::Request& request, const http::Reply& reply) { answer(request, reply); });
    EXPECT_TRUE(server_->listen(address_) && server_->start());
  }
  void stop() {
    release();
    server_.reset();  // before what its handlers use
  }
  // From now on it takes connections and requests, and says nothing.
  void hang() { set(hanging_, true); }
  // Requests are not answered until release(), signs of life are.
  void hold() { set(holding_, true); }
  void release() {
    const std::lock_guard lock(mutex_);
    hanging_ = holding_ = false;
    for (const auto& reply : held_) reply.send(answer_);
    held_.clear();
  }
  // The request is taken, and the connection breaks.
  void break_off(std::string method) { set(broken_method_, std::move(method)); }
  // The same, and from then on it hangs.
  void die_at(std::string method) {
    break_off(std::move(method));
    set(hangs_then_, true);
  }
  void say(http::Response answer) { set(answer_, std::move(answer)); }
  void say(const std::string& target, http::Response answer) {
    const std::lock_guard lock(mutex_);
    answers_[target] = std::move(answer);
  }

  std::vector<std::string> asked() const { return get(asked_); }
  int signs() const { return get(signs_); }
  const std::string& address() const { return address_; }

 private:
  template <class T>
  void set(T& member, T value) {
    const std::lock_guard lock(mutex_);
    member = std::move(value);
  }
  template <class T>
  T get(const T& member) const {
    const std::lock_guard lock(mutex_);
    return member;
  }
  void answer(const http::Request& request, const http::Reply& reply) {
    const std::lock_guard lock(mutex_);
    const bool sign = request.path == "/v1/version";
    if (sign)
      ++signs_;
    else
      asked_.push_back(request.method + " " + request.path);
    if (hanging_ || (holding_ && !sign)) return held_.push_back(reply);
    if (request.method == broken_method_) {
      hanging_ = hangs_then_;
      return reply.abandon();
    }
    const auto special = answers_.find(request.method + " " + request.path);
    reply.send(special == answers_.end() ? answer_ : special->second);
  }

  const std::string address_;
  mutable std::mutex mutex_;
  bool hanging_ = false;
  bool holding_ = false;
  std::string broken_method_;
  bool hangs_then_ = false;
  http::Response answer_{.body = "{}"};
  std::map<std::string, http::Response> answers_;
  std::vector<std::string> asked_;
  int signs_ = 0;
  std::vector<http::Reply> held_;
  std::unique_ptr<http::Server> server_;
};

class ThreeMasters : public ::testing::Test {
 protected:
  ThreeMasters() {
    std::string pattern = (std::filesystem::temp_directory_path() / "masters-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    for (const char* name : {"a", "b", "c"})
      masters_.push_back(std::make_unique<Master>(fmt::format("unix://{}/{}", directory_, name)));
  }
  ~ThreeMasters() override {
    masters_.clear();
    std::filesystem::remove_all(directory_);
  }

  Master& a() { return *masters_[0]; }
  Master& b() { return *masters_[1]; }
  Master& c() { return *masters_[2]; }

  template <class Condition>
  static void wait_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(condition());
  }

  std::string directory_;
  std::vector<std::unique_ptr<Master>> masters_;
  const Op op_{system_clock(), Millis(20'000), "request-1", "tester"};
};

}  // namespace volplugin::client
