// SPDX-License-Identifier: Apache-2.0
#include "http/parse.h"

#include <gtest/gtest.h>

namespace volplugin::http {
namespace {

// Feeds `pieces` one after the other as a connection does: what was not taken comes again with the next.
class Feeder {
 public:
  explicit Feeder(const Limits& limits = {}) : reader(limits) {}

  void feed(std::string_view bytes) {
    if (reader.complete() || reader.refusal()) {
      rest += bytes;
      return;
    }
    rest += bytes;
    rest.erase(0, reader.feed(rest));
  }

  RequestReader reader;
  std::string rest;
};

const std::string kHead = "PUT /p?q HTTP/1.1\r\nHost: a\r\nX-Fold: b\r\n\t c\r\n";

struct Good {
  std::string bytes;
  std::string body;
};

std::vector<Good> good_requests() {
  const std::string chunked = kHead + "Transfer-Encoding: chunked\r\n\r\n";
  return {{"\r\n\r\n" + kHead + "\r\n", ""},
          {kHead + "Content-Length: 0\r\n\r\n", ""},
          {kHead + "Content-Length: 5\r\n\r\na\r\n\r\n", "a\r\n\r\n"},
          {chunked + "0\r\n\r\n", ""},
          {chunked + "0\r\nT: x\r\nHost: other\r\n\r\n", ""},
          {chunked + "1;a=b\r\nx\r\n00\r\n\r\n", "x"},
          {chunked + "3\r\nabc\r\nA\r\n0123456789\r\n0;last\r\nT: x\r\n\r\n", "abc0123456789"}};
}

TEST(RequestReaderTest, MeansTheSameHoweverItIsCut) {
  for (const Good& good : good_requests()) {
    for (size_t cut = 0; cut <= good.bytes.size(); ++cut) {
      Feeder feeder;
      feeder.feed(std::string_view(good.bytes).substr(0, cut));
      EXPECT_FALSE(feeder.reader.complete() && cut < good.bytes.size()) << good.bytes << cut;
      feeder.feed(good.bytes.substr(cut) + "NEXT");
      ASSERT_TRUE(feeder.reader.complete()) << good.bytes << cut;
      EXPECT_EQ(feeder.rest, "NEXT");
      const Request request = feeder.reader.take();
      EXPECT_EQ(request.body, good.body);
      EXPECT_EQ(request.header("host"), "a");
      EXPECT_EQ(request.header("x-fold"), "b c");
    }
  }
}

TEST(RequestReaderTest, MeansTheSameByteByByte) {
  for (const Good& good : good_requests()) {
    Feeder feeder;
    for (const char c : good.bytes + "NEXT") feeder.feed(std::string_view(&c, 1));
    ASSERT_TRUE(feeder.reader.complete()) << good.bytes;
    EXPECT_EQ(feeder.reader.take().body, good.body);
    EXPECT_EQ(feeder.rest, "NEXT");
  }
}

TEST(RequestReaderTest, LimitsTheHeaderHoweverItIsCut) {
  std::string header = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (header.size() < 2000) header += "X: yyyyyyyy\r\n";
  Feeder feeder({.header_bytes = 1000});
  size_t fed = 0;
  for (; fed < header.size() && !feeder.reader.refusal(); ++fed) feeder.feed(header.substr(fed, 1));
  ASSERT_TRUE(feeder.reader.refusal());
  EXPECT_EQ(feeder.reader.refusal()->status, 431);
  EXPECT_LE(fed, 1001U);
}

TEST(RequestReaderTest, TellsHowToAnswer) {
  const auto framing = [](std::string_view bytes) {
    Feeder feeder;
    feeder.feed(bytes);
    EXPECT_TRUE(feeder.reader.complete()) << bytes;
    return feeder.reader.framing();
  };
  EXPECT_TRUE(framing("GET / HTTP/1.1\r\nHost: a\r\n\r\n").keep_alive);
  EXPECT_FALSE(framing("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(framing("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(framing("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(framing("GET / HTTP/1.0\r\n\r\n").http11);
  EXPECT_TRUE(framing("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").head);
}

TEST(RequestReaderTest, WantsContinueOnlyBeforeTheBodyIsThere) {
  const std::string head = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
  Feeder feeder;
  feeder.feed(head);
  EXPECT_TRUE(feeder.reader.wants_continue());
  feeder.feed("ab");
  EXPECT_FALSE(feeder.reader.wants_continue());
  EXPECT_TRUE(feeder.reader.complete());
}

}  // namespace
}  // namespace volplugin::http
