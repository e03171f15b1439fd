// SPDX-License-Identifier: Apache-2.0
// GET /v1/events: what is sent to whom, without sockets.
#include "rest/event_streams.h"

#include "rest/capture_for_test.h"
#include "wire/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volplugin::rest {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::StartsWith;

class EventStreamsTest : public testing::Test {
 protected:
  std::shared_ptr<Captured> listen(const std::string& query = "",
                                   std::vector<std::pair<std::string, std::string>> headers = {}) {
    return begin(api_, make_request("GET", "/v1/events" + query, "", std::move(headers)));
  }
  static service::Event erased(std::uint64_t revision, const std::string& name) {
    return {revision, "volume", name, service::Change::erase, {}};
  }
  void tell(std::uint64_t revision, const std::string& name) {
    source_.tell({.events = {erased(revision, name)}, .revision = revision});
  }
  static std::string text(std::uint64_t revision, const std::string& name) {
    return fmt::format(
        "id: {0}\nevent: volume\ndata: {{\"revision\":{0},\"kind\":\"volume\",\"name\":\"{1}\","
        "\"change\":\"erase\"}}\n\n",
        revision, name);
  }
  static constexpr const char* kReset10 = "id: 10\nevent: reset\ndata: {\"revision\":10}\n\n";

  StubVolmaster master_;
  FakeClock clock_;
  StubEvents source_;
  Api api_{master_, source_, clock_, "1.2.3"};
};

TEST_F(EventStreamsTest, FirstAResetThenWhatHappens) {
  const auto listener = listen();
  EXPECT_EQ(listener->get().status, 200);
  EXPECT_EQ(listener->get().content_type, "text/event-stream");
  EXPECT_NE(header_of(listener->get(), "X-Request-Id"), "");
  EXPECT_EQ(listener->streamed->written, kReset10);
  tell(11, "t/a");
  tell(14, "t/b");
  EXPECT_EQ(listener->streamed->written, kReset10 + text(11, "t/a") + text(14, "t/b"));
}

TEST_F(EventStreamsTest, RecordsAreWrittenAsTheApiShowsThem) {
  const auto listener = listen();
  const auto id = model::parse_volume_id("t/v").value();
  source_.tell({.events = {{11, "volume", "t/v", service::Change::put, StubVolmaster::some_volume(id)}},
                .revision = 11});
  const std::string record = wire::to_text(StubVolmaster::some_volume(id), std::uint64_t{11});
  EXPECT_THAT(listener->streamed->written, HasSubstr("\"change\":\"put\",\"record\":" + record + "}\n\n"));
}

TEST_F(EventStreamsTest, WhoComesBackGetsWhatWasMissed) {
  tell(11, "t/a");
  tell(12, "t/b");
  EXPECT_EQ(listen("?after=11")->streamed->written, ":\n\n" + text(12, "t/b"));
  EXPECT_EQ(listen("?after=10")->streamed->written, ":\n\n" + text(11, "t/a") + text(12, "t/b"));
  EXPECT_EQ(listen("?after=12")->streamed->written, ":\n\n");
  // A browser repeats the address it was given and adds the header.
  EXPECT_EQ(listen("?after=10", {{"last-event-id", "11"}})->streamed->written, ":\n\n" + text(12, "t/b"));
}

TEST_F(EventStreamsTest, ResetForWhatIsNotKnown) {
  tell(11, "t/a");
  const std::string reset = "id: 11\nevent: reset\ndata: {\"revision\":11}\n\n";
  EXPECT_EQ(listen("?after=9")->streamed->written, reset);   // before this source began
  EXPECT_EQ(listen("?after=12")->streamed->written, reset);  // of another store, or a restored one
  for (std::uint64_t revision = 12; revision < 12 + EventStreams::kMaxKept; ++revision) tell(revision, "t/x");
  EXPECT_THAT(listen("?after=11")->streamed->written, StartsWith(":\n\nid: 12\n"));
  EXPECT_THAT(listen("?after=10")->streamed->written, HasSubstr("event: reset"));
}

TEST_F(EventStreamsTest, WhatIsKeptIsBoundedInBytes) {
  const std::string name(EventStreams::kMaxKeptBytes / 4, 'x');
  for (std::uint64_t revision = 11; revision < 20; ++revision) tell(revision, name);
  EXPECT_THAT(listen("?after=11")->streamed->written, HasSubstr("event: reset"));
  EXPECT_THAT(listen("?after=16")->streamed->written, StartsWith(":\n\nid: 17\n"));
}

TEST_F(EventStreamsTest, SourceThatLostTrackResetsEverybody) {
  const auto listener = listen();
  tell(11, "t/a");
  listener->streamed->written.clear();
  source_.tell({.events = {}, .revision = 40, .reset = true});
  EXPECT_EQ(listener->streamed->written, "id: 40\nevent: reset\ndata: {\"revision\":40}\n\n");
  EXPECT_THAT(listen("?after=11")->streamed->written, HasSubstr("event: reset"));
}

TEST_F(EventStreamsTest, OnlyTheLastEventOfARevisionHasItsId) {
  const auto listener = listen();
  listener->streamed->written.clear();
  source_.tell({.events = {erased(11, "t/a"), erased(11, "t/b"), erased(12, "t/c")}, .revision = 12});
  const std::string a = text(11, "t/a");
  EXPECT_EQ(listener->streamed->written, a.substr(a.find('\n') + 1) + text(11, "t/b") + text(12, "t/c"));
}

TEST_F(EventStreamsTest, SilenceIsFilledWithComments) {
  const auto listener = listen();
  listener->streamed->written.clear();
  clock_.advance(EventStreams::kHeartbeat - Millis(1));
  api_.tick();
  EXPECT_EQ(listener->streamed->written, "");
  clock_.advance(Millis(1));
  api_.tick();
  api_.tick();
  EXPECT_EQ(listener->streamed->written, ":\n\n");
}

TEST_F(EventStreamsTest, ListenersAreBoundedAndThoseThatLeftMakeRoom) {
  std::vector<std::shared_ptr<Captured>> listeners;
  for (size_t i = 0; i < EventStreams::kMaxListeners; ++i) listeners.push_back(listen());
  const auto refused = listen()->get();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("256 listeners"));
  listeners[7]->streamed->open = false;
  EXPECT_EQ(listen()->get().status, 200);
  EXPECT_EQ(listen()->get().status, 503);
}

TEST_F(EventStreamsTest, BadIdsAreRefused) {
  for (const char* bad : {"x", "-1", "1.5", "99999999999999999999"}) {
    const auto query = listen(fmt::format("?after={}", bad))->get();
    EXPECT_EQ(query.status, 400);
    EXPECT_THAT(query.body, HasSubstr("query after"));
    const auto header = listen("", {{"last-event-id", bad}})->get();
    EXPECT_EQ(header.status, 400);
    EXPECT_THAT(header.body, HasSubstr("header Last-Event-ID"));
  }
}

}  // namespace
}  // namespace volplugin::rest
