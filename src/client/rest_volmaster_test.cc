// SPDX-License-Identifier: Apache-2.0
// What RestVolmaster does with answers and failures that a real volmaster would not give. That it fits one
// is the contract suite's business.
#include "client/rest_volmaster.h"

#include "http/server.h"

#include <filesystem>
#include <mutex>

#include <gmock/gmock.h>
#include <stdlib.h>

namespace volplugin::client {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// A server that gives one answer to everything and keeps the last request.
class RestVolmasterTest : public ::testing::Test {
 protected:
  RestVolmasterTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "client-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    const auto address = server_.listen("unix://" + directory_ + "/s");
    EXPECT_TRUE(address && server_.start());
    master_ = std::move(*RestVolmaster::open({*address}, "tester"));
  }
  ~RestVolmasterTest() override {
    server_.stop();
    std::filesystem::remove_all(directory_);
  }

  void answer(int status, std::string body, std::string type = "application/json") {
    const std::lock_guard lock(mutex_);
    answer_.status = status;
    answer_.body = std::move(body);
    answer_.content_type = std::move(type);
  }
  http::Request last() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  Error error_of_get() {
    const auto got = master_->get_volume(op_, id_);
    EXPECT_FALSE(got);
    return got ? Error{} : got.error();
  }

  std::mutex mutex_;
  http::Response answer_;
  http::Request last_;
  std::string directory_;
  http::Server server_{{}, [this](http::Request request, const http::Reply& reply) {
                         const std::lock_guard lock(mutex_);
                         last_ = std::move(request);
                         reply.send(answer_);
                       }};
  std::unique_ptr<RestVolmaster> master_;
  const Op op_{system_clock(), Millis(20'000), "request-1", "not-sent"};
  const model::VolumeId id_ = *model::parse_volume_id("t/v");
};

TEST_F(RestVolmasterTest, SaysWhoAsksAndUntilWhen) {
  answer(204, "");
  EXPECT_TRUE(master_->remove_volume(op_, id_, service::RemoveMode::if_ephemeral));
  const auto request = last();
  EXPECT_EQ(request.method, "DELETE");
  EXPECT_EQ(request.path, "/v1/volumes/t/v");
  EXPECT_EQ(request.query, "mode=if-ephemeral");
  EXPECT_EQ(request.header("x-request-id"), "request-1");
  EXPECT_EQ(request.header("x-volplugin-actor"), "tester");
  const int timeout = std::stoi(std::string(request.header("request-timeout-ms")));
  EXPECT_LE(timeout, 19'000);  // the server gives up before we do
  EXPECT_GT(timeout, 10'000);
}

TEST_F(RestVolmasterTest, WaitForWorkFitsIntoTheOp) {
  answer(204, "");
  const auto node = *model::NodeTag::parse("n");
  const auto ignore = [](const auto&) {};
  master_->next_task(op_, node, Millis(600'000), ignore);
  EXPECT_THAT(last().body, MatchesRegex(R"(\{"wait-ms":1[0-7][0-9]{3}\})"));
  master_->next_task(Op(system_clock(), Millis(600'000), "r", "a"), node, Millis(600'000), ignore);
  EXPECT_EQ(last().body, R"({"wait-ms":50000})");
  master_->next_task(op_, node, Millis(-1), ignore);
  EXPECT_EQ(last().body, R"({"wait-ms":0})");
}

TEST_F(RestVolmasterTest, ProblemsBecomeTheirErrors) {
  const std::string type = "application/problem+json; charset=utf-8";
  answer(
      409,
      R"({"type":"about:blank","title":"Conflict","status":409,"code":"busy","detail":"x","effect-unknown":true})",
      type);
  Error error = error_of_get();
  EXPECT_EQ(error.code, Code::busy);
  EXPECT_EQ(error.message, "x");
  EXPECT_EQ(error.effect, Effect::unknown);
  // By others, who do not know the effect: only a server in trouble may have done something.
  answer(503, R"({"code":"unavailable","detail":"full"})", type);
  EXPECT_EQ(error_of_get().effect, Effect::none);
  answer(500, R"({"code":"internal","detail":"oops"})", type);
  EXPECT_EQ(error_of_get().effect, Effect::unknown);
  answer(418, R"({"code":"teapot","detail":"short and stout"})", type);
  EXPECT_EQ(error_of_get().code, Code::internal);
}

TEST_F(RestVolmasterTest, AnswerThatIsNotOursIsCorrupt) {
  const auto expect_corrupt = [&](const std::string& part) {
    const Error error = error_of_get();
    EXPECT_EQ(error.code, Code::corrupt) << error.message;
    EXPECT_EQ(error.effect, Effect::unknown);
    EXPECT_THAT(error.message, HasSubstr(part));
    EXPECT_THAT(error.message, HasSubstr(fmt::format("status {}", answer_.status)));
  };
  answer(200, "<html>\x01 login");
  expect_corrupt("'<html>\\x01 login'");
  answer(200, std::string(5000, 'x'));
  expect_corrupt("xxx...'");
  answer(200, "");
  expect_corrupt("no body");
  answer(200, R"({"tenant":"t"})");
  expect_corrupt("\"name\" is missing");
  answer(200, "[]");
  expect_corrupt("must be an object");
  answer(404, R"({"message":"page not found"})");
  expect_corrupt("page not found");
  answer(502, "Bad Gateway", "text/plain");
  expect_corrupt("Bad Gateway");
  answer(404, R"({"message":"no code"})", "application/problem+json");
  expect_corrupt("\"code\" is missing");
  answer(302, "");
  expect_corrupt("''");
}

TEST_F(RestVolmasterTest, SuccessWithoutContentMustSayIt) {
  answer(200, R"({"ok":true})");
  const auto removed = master_->remove_volume(op_, id_, service::RemoveMode::delete_data);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::corrupt);
}

TEST_F(RestVolmasterTest, BadHealthIsAnAnswer) {
  answer(503, R"({"ok":false,"store":"disk full","version":"1"})");
  const auto health = master_->health(op_);
  ASSERT_TRUE(health) << health.error().message;
  EXPECT_FALSE(health->ok);
  EXPECT_EQ(health->store, "disk full");
  answer(503, R"({"code":"unavailable","detail":"full"})", "application/problem+json");
  EXPECT_EQ(master_->health(op_).error().code, Code::unavailable);
}

TEST_F(RestVolmasterTest, RefusedConnectionSaysWhatToDo) {
  const std::string nowhere = "unix://" + directory_ + "/nobody";
  const auto master = std::move(*RestVolmaster::open({nowhere}, "tester"));
  const auto got = master->get_volume(op_, id_);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::unavailable);
  EXPECT_EQ(got.error().effect, Effect::none);
  EXPECT_THAT(got.error().message, HasSubstr(nowhere));
  EXPECT_THAT(got.error().message,
              HasSubstr("is volmaster (or volplugin --standalone) running? see --master"));
}

TEST(RestVolmasterOpenTest, BadAddressIsRefused) {
  EXPECT_EQ(RestVolmaster::open({"nonsense"}, "a").error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace volplugin::client
