// SPDX-License-Identifier: Apache-2.0
// How long each call may take, what becomes of it when the engine goes away, and which answers are held
// back. tests/component and tests/e2e have the same protocol with real sockets and a real engine.
#include "dockerplugin/plugin.h"

#include "dockerplugin/fake_volumes_for_test.h"

#include <condition_variable>
#include <map>

#include <gtest/gtest.h>

namespace volplugin::dockerplugin {
namespace {

class RecordingSink final : public http::Reply::Sink {
 public:
  void send(http::Response response) override {
    const std::lock_guard lock(mutex_);
    if (!response_) response_ = std::move(response);
  }
  void abandon() override {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    changed_.notify_all();
  }
  std::optional<http::Response> response() {
    const std::lock_guard lock(mutex_);
    return response_;
  }
  bool abandoned() {
    const std::lock_guard lock(mutex_);
    return abandoned_;
  }
  bool wait_until_abandoned() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return abandoned_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<http::Response> response_;
  bool abandoned_ = false;
};

class PluginTest : public testing::Test {
 protected:
  std::shared_ptr<RecordingSink> call(const std::string& method, const std::string& body,
                                      const std::string& verb = "POST") {
    http::Request request;
    request.method = verb;
    request.path = "/" + method;
    request.body = body;
    request.peer.pid = 42;
    request.gone = gone_.get_token();
    auto sink = std::make_shared<RecordingSink>();
    plugin_.handle(request, http::Reply(sink));
    return sink;
  }
  std::string answer(const std::string& method, const std::string& body) {
    const auto response = call(method, body)->response();
    return response ? std::to_string(response->status) + " " + response->body : "none";
  }

  FakeClock clock_;
  FakeVolumes volumes_;
  std::stop_source gone_;
  std::vector<std::string> log_;
  Plugin plugin_{volumes_, clock_, PluginSettings{"global"},
                 [this](const std::string& line) { log_.push_back(line); }};
};

constexpr const char* kBody = R"({"Name":"t/v","ID":"a","Opts":{"size":"1"}})";

TEST_F(PluginTest, EachCallEndsBeforeTheEngineGivesUp) {
  const std::map<std::string, Millis> waits{{"Create", Millis(120'000)}, {"Mount", Millis(120'000)},
                                            {"Remove", Millis(60'000)},  {"Unmount", Millis(60'000)},
                                            {"Path", Millis(60'000)},    {"Get", Millis(60'000)},
                                            {"List", Millis(60'000)}};
  for (const auto& [method, engine_waits] : waits) {
    call("VolumeDriver." + method, kBody);
    const Millis remaining = volumes_.calls.back().remaining;
    EXPECT_LT(remaining, engine_waits) << method;
    EXPECT_GT(remaining, engine_waits - Millis(15'000)) << method;
  }
}

TEST_F(PluginTest, TimeSpentWaitingForAThreadCounts) {
  http::Request request;
  request.method = "POST";
  request.path = "/VolumeDriver.Create";
  request.body = kBody;
  request.arrived = std::chrono::steady_clock::now() - std::chrono::seconds(100);
  plugin_.handle(request, http::Reply(std::make_shared<RecordingSink>()));
  EXPECT_LE(volumes_.calls.back().remaining, Millis(10'000));
}

TEST_F(PluginTest, AnswersAsTheEngineReadsThem) {
  EXPECT_EQ(answer("Plugin.Activate", ""), R"(200 {"Implements":["VolumeDriver"]})");
  EXPECT_EQ(volumes_.calls.back().what, "activated 42");
  EXPECT_EQ(answer("VolumeDriver.Capabilities", "{}"), R"(200 {"Capabilities":{"Scope":"global"}})");
  EXPECT_EQ(answer("VolumeDriver.Create", kBody), R"(200 {"Err":""})");
  EXPECT_EQ(volumes_.calls.back().what, "create t/v 1");
  EXPECT_EQ(answer("VolumeDriver.Create", R"({"Name":"t/v","Opts":null})"), R"(200 {"Err":""})");
  EXPECT_EQ(answer("VolumeDriver.Mount", kBody), R"(200 {"Err":"","Mountpoint":"/mounts/x"})");
  EXPECT_EQ(answer("VolumeDriver.List", "{}"), R"(200 {"Err":"","Volumes":[]})");
  EXPECT_EQ(answer("VolumeDriver.Get", kBody),
            R"(200 {"Err":"","Volume":{"Name":"t/v","Mountpoint":"","CreatedAt":"2023-11-14T22:13:20.000Z",)"
            R"("Status":{"phase":"ready"}}})");
  EXPECT_EQ(call("VolumeDriver.Mount", kBody, "GET")->response()->status, 404);
  EXPECT_EQ(call("VolumeDriver.Format", kBody)->response()->status, 404);
}

TEST_F(PluginTest, AnswersOnlyWhatTheServiceKnows) {
  volumes_.bare = true;
  EXPECT_EQ(answer("VolumeDriver.Get", kBody), R"(200 {"Err":"","Volume":{"Name":"t/v","Mountpoint":""}})");
}

TEST_F(PluginTest, AnErrorIsAnAnswerAndALine) {
  volumes_.error = make_error(Code::busy, "in use");
  EXPECT_EQ(answer("VolumeDriver.Remove", kBody), R"(200 {"Err":"in use"})");
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_NE(log_.front().find("in use"), std::string::npos);
}

TEST_F(PluginTest, AskingForWhatDoesNotExistIsNotWorthALine) {
  volumes_.error = make_error(Code::not_found, "no such volume");
  EXPECT_EQ(answer("VolumeDriver.Get", kBody), R"(200 {"Err":"no such volume"})");
  EXPECT_TRUE(log_.empty());
}

TEST_F(PluginTest, AMountWhoseCallerLeftIsUndone) {
  volumes_.while_working = [&] { gone_.request_stop(); };
  const auto sink = call("VolumeDriver.Mount", kBody);
  ASSERT_EQ(volumes_.calls.size(), 2u);
  EXPECT_EQ(volumes_.calls[0].what, "mount t/v a");
  EXPECT_EQ(volumes_.calls[1].what, "unmount t/v a");
  EXPECT_FALSE(volumes_.calls[1].cancelled) << "undoing must not be cancelled too";
  EXPECT_NE(sink->response()->body.find("undone"), std::string::npos);
}

TEST_F(PluginTest, AnUnmountIsDoneEvenIfTheCallerLeft) {
  gone_.request_stop();
  call("VolumeDriver.Unmount", kBody);
  EXPECT_FALSE(volumes_.calls.at(0).cancelled);
  call("VolumeDriver.Create", kBody);
  EXPECT_TRUE(volumes_.calls.at(1).cancelled) << "a create nobody waits for may end";
}

TEST_F(PluginTest, AQuestionThatCannotBeAnsweredIsHeldAndThenDropped) {
  volumes_.error = make_error(Code::unavailable, "volmaster is away");
  const auto get = call("VolumeDriver.Get", kBody);
  const auto list = call("VolumeDriver.List", "{}");
  clock_.advance(Millis(3'000));
  const auto younger = call("VolumeDriver.Get", kBody);
  clock_.advance(Millis(29'000));
  EXPECT_TRUE(get->wait_until_abandoned());
  EXPECT_TRUE(list->wait_until_abandoned());
  EXPECT_FALSE(get->response() || list->response()) << "an error would make the engine forget the volume";
  // The same pass looked at this one, which is 29 s old: dropped now, the engine might still try again.
  EXPECT_FALSE(younger->abandoned());
}

TEST_F(PluginTest, OtherCallsGetTheErrorAtOnce) {
  volumes_.error = make_error(Code::unavailable, "volmaster is away");
  EXPECT_EQ(answer("VolumeDriver.Mount", kBody), R"(200 {"Err":"volmaster is away"})");
}

TEST_F(PluginTest, ARetryWithoutABodyDoesNothing) {
  for (const std::string method : {"Create", "Remove", "Mount", "Unmount", "Path"})
    EXPECT_NE(answer("VolumeDriver." + method, "").find("no body"), std::string::npos) << method;
  EXPECT_TRUE(call("VolumeDriver.Get", "")->abandoned());
  EXPECT_TRUE(volumes_.calls.empty());
}

}  // namespace
}  // namespace volplugin::dockerplugin
