// SPDX-License-Identifier: Apache-2.0
// Following events of a server that gives what it likes.
#include "client/rest_events.h"

#include "http/server.h"

#include <future>

#include <gmock/gmock.h>

namespace volplugin::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RestEventsTest : public ::testing::Test {
 protected:
  RestEventsTest() {
    const auto address = server_.listen("127.0.0.1:0");
    EXPECT_TRUE(address && server_.start());
    events_ = std::move(*RestEvents::open({*address}, "tester"));
  }
  ~RestEventsTest() override { server_.stop(); }

  static void write(const http::Stream& stream, std::string text) {
    EXPECT_TRUE(stream.write(std::make_shared<const std::string>(std::move(text))));
  }
  Result<> follow(std::stop_token stop = {}) {
    const Op op(system_clock(), Millis(20'000), "request", "test", std::move(stop));
    return events_->follow(op, 17, [this](std::string_view event, std::string_view data) {
      told_.push_back(fmt::format("{}: {}", event, data));
      return told_.size() < enough_;
    });
  }

  std::function<void(const http::Stream&)> serve_ = [](const http::Stream&) {};
  std::optional<http::Response> refusal_;
  std::string target_;
  http::Server server_{{}, [this](const http::Request& request, const http::Reply& reply) {
                         target_ = request.path + "?" + request.query;
                         if (refusal_) return reply.send(*refusal_);
                         serve_(reply.stream({.content_type = "text/event-stream"}, 1 << 20));
                       }};
  std::unique_ptr<RestEvents> events_;
  std::vector<std::string> told_;
  size_t enough_ = 1000;
};

TEST_F(RestEventsTest, AreCutOutOfTheStreamHoweverItComes) {
  serve_ = [](const http::Stream& stream) {
    for (const char c :
         std::string("id: 1\nevent: reset\ndata: {\"a\":1}\n\n: beat\n\nevent: volume\ndata: {}\n\nevent: x"))
      write(stream, {c});
    stream.end();
  };
  const auto end = follow();
  EXPECT_THAT(told_, ElementsAre(R"(reset: {"a":1})", "volume: {}"));
  EXPECT_EQ(target_, "/v1/events?after=17");
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::unavailable);
  EXPECT_THAT(end.error().message, HasSubstr("ended the stream"));
}

TEST_F(RestEventsTest, EndWhenItIsEnough) {
  enough_ = 2;
  serve_ = [](const http::Stream& stream) {
    const std::string event = "event: volume\ndata: {}\n\n";
    write(stream, event + event + event);  // at once: after the second one nobody listens
  };
  EXPECT_TRUE(follow());
  EXPECT_EQ(told_.size(), 2U);
}

TEST_F(RestEventsTest, RefusalsAreTheServersOwn) {
  refusal_ = http::Response{.status = 503,
                            .content_type = "application/problem+json",
                            .body = R"({"code": "unavailable", "detail": "256 listen already"})"};
  const auto end = follow();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::unavailable);
  EXPECT_THAT(end.error().message, HasSubstr("256 listen already"));
}

TEST_F(RestEventsTest, AreStoppedWhileNothingComes) {
  std::promise<http::Stream> begun;
  serve_ = [&](const http::Stream& stream) {
    write(stream, "event: reset\ndata: {}\n\n");
    begun.set_value(stream);
  };
  std::stop_source stop;
  auto following = std::async(std::launch::async, [&] { return follow(stop.get_token()); });
  const http::Stream open = begun.get_future().get();  // without it the stream would end by itself
  stop.request_stop();
  const auto end = following.get();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::cancelled);
}

}  // namespace
}  // namespace volplugin::client
