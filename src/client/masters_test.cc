// SPDX-License-Identifier: Apache-2.0
// Several real servers, of which some are away, hang or break off: which one is asked, and how often.
#include "client/masters.h"

#include "client/exchange.h"
#include "client/masters_for_test.h"

#include <gmock/gmock.h>

namespace volplugin::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MastersTest : public ThreeMasters {
 protected:
  Exchange open(Patience patience = kShort) {
    return std::move(*Exchange::open({a().address(), b().address(), c().address()}, "tester", patience));
  }

  static Question read() { return {.target = "/r"}; }
  static Question once() { return {.method = "POST", .target = "/w"}; }
  static Question repeatable() {
    Question question = once();
    question.repeatable = true;
    return question;
  }
  static Error error_of(const Result<Answer>& answer) {
    EXPECT_FALSE(answer);
    return answer ? Error{} : answer.error();
  }
};

TEST_F(MastersTest, StaysWithTheOneThatAnswered) {
  const Exchange exchange = open();
  a().stop();
  EXPECT_TRUE(exchange.ask(op_, read()));
  a().start();
  EXPECT_TRUE(exchange.ask(op_, read()));
  EXPECT_TRUE(exchange.ask(op_, once()));
  EXPECT_THAT(b().asked(), ElementsAre("GET /r", "GET /r", "POST /w"));
  b().stop();
  c().stop();
  EXPECT_TRUE(exchange.ask(op_, read()));
  EXPECT_THAT(a().asked(), ElementsAre("GET /r"));
}

TEST_F(MastersTest, RefusedChangeGoesToTheNext) {
  const Exchange exchange = open();
  a().stop();
  b().stop();
  EXPECT_TRUE(exchange.ask(op_, once()));
  EXPECT_THAT(c().asked(), ElementsAre("POST /w"));
}

TEST_F(MastersTest, ConnectionThatBreaks) {
  a().break_off("POST");
  const Error error = error_of(open().ask(op_, once()));
  EXPECT_EQ(error.code, Code::unavailable);
  EXPECT_EQ(error.effect, Effect::unknown);
  EXPECT_THAT(error.message, HasSubstr(a().address()));
  EXPECT_THAT(b().asked(), IsEmpty());
  EXPECT_TRUE(open().ask(op_, repeatable()));
  EXPECT_THAT(a().asked(), ElementsAre("POST /w", "POST /w"));
  EXPECT_THAT(b().asked(), ElementsAre("POST /w"));
}

TEST_F(MastersTest, HangingReadGoesToTheNext) {
  const Exchange exchange = open();
  a().hang();
  EXPECT_TRUE(exchange.ask(op_, read()));
  EXPECT_TRUE(exchange.ask(op_, read()));
  EXPECT_THAT(a().asked(), ElementsAre("GET /r"));
  EXPECT_THAT(b().asked(), ElementsAre("GET /r", "GET /r"));
}

TEST_F(MastersTest, ChangeIsNotSentToOneThatHangs) {
  const Exchange exchange = open();
  a().hang();
  EXPECT_TRUE(exchange.ask(op_, once()));
  EXPECT_THAT(a().asked(), IsEmpty());
  EXPECT_EQ(a().signs(), 1);
  EXPECT_THAT(b().asked(), ElementsAre("POST /w"));
}

TEST_F(MastersTest, NoQuestionBeforeAChangeToOneThatJustAnswered) {
  const Exchange exchange = open({Millis(60'000), Millis(60'000)});
  EXPECT_TRUE(exchange.ask(op_, read()));
  EXPECT_TRUE(exchange.ask(op_, once()));
  EXPECT_EQ(a().signs(), 0);
}

TEST_F(MastersTest, HangsWithAChangeInHand) {
  for (const bool may_repeat : {false, true}) {
    a().hold();
    const Exchange exchange = open();
    const size_t before = a().asked().size();
    std::jthread stopper([&] {
      wait_until([&] { return a().asked().size() > before; });
      a().hang();
    });
    const auto answer = exchange.ask(op_, may_repeat ? repeatable() : once());
    stopper.join();
    EXPECT_EQ(answer.has_value(), may_repeat);
    EXPECT_EQ(b().asked().size(), may_repeat ? 1 : 0);
    if (!answer) {
      EXPECT_EQ(answer.error().code, Code::unavailable);
      EXPECT_EQ(answer.error().effect, Effect::unknown);
      EXPECT_EQ(answer.error().message, a().address() + " gives no sign of life");
    }
    a().release();
  }
}

TEST_F(MastersTest, LongWorkIsNotSilence) {
  const Exchange exchange = open({Millis(10), Millis(20'000)});
  a().hold();
  std::jthread releaser([&] {
    wait_until([&] { return a().signs() >= 5; });
    a().release();
  });
  EXPECT_TRUE(exchange.ask(op_, once()));
  EXPECT_THAT(a().asked(), ElementsAre("POST /w"));
  EXPECT_THAT(b().asked(), IsEmpty());
}

TEST_F(MastersTest, SaysWhatEachOneSaid) {
  const Exchange exchange = open();
  a().stop();
  b().hang();
  c().say(problem(503, "unavailable", "waits for its store"));
  for (const auto& question : {read(), once()}) {
    const Error error = error_of(exchange.ask(op_, question));
    EXPECT_EQ(error.code, Code::unavailable);
    EXPECT_EQ(error.effect, Effect::none);
    EXPECT_THAT(error.message,
                AllOf(HasSubstr("no volmaster is available: cannot connect to " + a().address()),
                      HasSubstr(b().address() + " gives no sign of life"),
                      HasSubstr(c().address() + ": waits for its store")));
  }
  for (auto& master : masters_) master->stop();
  EXPECT_THAT(error_of(exchange.ask(op_, read())).message, HasSubstr("is volmaster (or volplugin"));
}

TEST_F(MastersTest, AnswerAboutTheRequestIsTheAnswer) {
  const Exchange exchange = open();
  a().say(problem(409, "conflict", "held by another"));
  EXPECT_EQ(error_of(exchange.ask(op_, repeatable())).code, Code::conflict);
  EXPECT_EQ(error_of(exchange.ask(op_, read())).code, Code::conflict);
  EXPECT_THAT(b().asked(), IsEmpty());
}

TEST_F(MastersTest, WhatIsNoVolmasterIsPassedOver) {
  const Exchange exchange = open();
  a().say({.content_type = "text/html", .body = "<html>"});
  EXPECT_TRUE(exchange.ask(op_, read()));
  EXPECT_THAT(b().asked(), ElementsAre("GET /r"));
}

TEST_F(MastersTest, DoubtOfTheFirstAttemptStays) {
  a().break_off("POST");
  b().say(problem(409, "busy", "is being made"));
  Error error = error_of(open().ask(op_, repeatable()));
  EXPECT_EQ(error.code, Code::busy);
  EXPECT_EQ(error.effect, Effect::unknown);
  b().stop();
  c().stop();
  error = error_of(open().ask(op_, repeatable()));
  EXPECT_EQ(error.code, Code::unavailable);
  EXPECT_EQ(error.effect, Effect::unknown);
  // A read has none.
  a().break_off("GET");
  b().start();
  EXPECT_EQ(error_of(open().ask(op_, read())).effect, Effect::none);
}

TEST_F(MastersTest, CallersStopEndsItAtOnce) {
  const Exchange exchange = open({Millis(60'000), Millis(60'000)});
  EXPECT_TRUE(exchange.ask(op_, read()));  // fresh: the change is sent without a question
  a().hang();
  std::stop_source source;
  std::jthread stopper([&] {
    wait_until([&] { return a().asked().size() == 2; });
    source.request_stop();
  });
  const Op op(system_clock(), Millis(20'000), "request-2", "tester", source.get_token());
  EXPECT_EQ(error_of(exchange.ask(op, repeatable())).code, Code::cancelled);
  EXPECT_THAT(b().asked(), IsEmpty());
}

TEST_F(MastersTest, DeadlineOfTheCallerIsKept) {
  const Exchange exchange = open({Millis(60'000), Millis(60'000)});
  a().hang();
  const Op op(system_clock(), Millis(50), "request-2", "tester");
  EXPECT_EQ(error_of(exchange.ask(op, once())).code, Code::deadline_exceeded);
  EXPECT_EQ(error_of(exchange.ask(op, read())).code, Code::deadline_exceeded);
  EXPECT_THAT(b().asked(), IsEmpty());
}

TEST_F(MastersTest, OneAloneIsWaitedFor) {
  const Exchange exchange = std::move(*Exchange::open({a().address()}, "tester", {Millis(1), Millis(1)}));
  EXPECT_TRUE(exchange.ask(op_, once()));
  a().hang();
  const Op op(system_clock(), Millis(200), "request-2", "tester");
  EXPECT_EQ(error_of(exchange.ask(op, once())).code, Code::deadline_exceeded);
  EXPECT_EQ(a().signs(), 0);
}

TEST_F(MastersTest, NumberOfAddressesIsBounded) {
  EXPECT_EQ(Masters::open({}).error().code, Code::invalid_argument);
  EXPECT_TRUE(Masters::open(std::vector<std::string>(16, "h:1")));
  EXPECT_THAT(Masters::open(std::vector<std::string>(17, "h:1")).error().message, HasSubstr("17 addresses"));
  EXPECT_THAT(Masters::open({"h:1", "nonsense"}).error().message, HasSubstr("'nonsense'"));
}

}  // namespace
}  // namespace volplugin::client
