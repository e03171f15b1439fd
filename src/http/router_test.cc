// SPDX-License-Identifier: Apache-2.0
#include "http/router.h"

#include <gmock/gmock.h>

namespace volplugin::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Router<int> example() {
  return Router<int>({{"GET", "/", 1},
                      {"GET", "/v1/volumes", 2},
                      {"POST", "/v1/volumes", 3},
                      {"GET", "/v1/volumes/{tenant}/usage", 4},
                      {"GET", "/v1/volumes/{tenant}/{volume}", 5},
                      {"DELETE", "/v1/volumes/{tenant}/{volume}", 6},
                      {"POST", "/VolumeDriver.Create", 7}});
}

int target(std::string_view method, std::string_view path) {
  const auto router = example();
  const auto match = router.match(method, path);
  return match ? match->target : -match.error().status;
}

TEST(RouterTest, FindsTheFirstRouteThatFits) {
  EXPECT_EQ(target("GET", "/"), 1);
  EXPECT_EQ(target("GET", "/v1/volumes"), 2);
  EXPECT_EQ(target("POST", "/v1/volumes"), 3);
  EXPECT_EQ(target("GET", "/v1/volumes/a/usage"), 4);
  EXPECT_EQ(target("GET", "/v1/volumes/a/b"), 5);
  EXPECT_EQ(target("DELETE", "/v1/volumes/a/usage"), 6);
  EXPECT_EQ(target("POST", "/VolumeDriver.Create"), 7);
  EXPECT_EQ(target("GET", "/v1/%76olumes"), 2);
  EXPECT_EQ(target("HEAD", "/v1/volumes"), 2);
}

TEST(RouterTest, DecodesParameters) {
  const auto router = example();
  const auto match = router.match("GET", "/v1/volumes/t%20a/x%2Fy");
  ASSERT_TRUE(match);
  EXPECT_EQ(match->params["tenant"], "t a");
  EXPECT_EQ(match->params["volume"], "x/y");
}

TEST(RouterTest, UnknownPathIs404) {
  for (const std::string_view path :
       {"", "v1", "//", "/v1", "/v1/", "/v1/volumes/", "/v1/volumes//b", "/v1/volumes/a", "/v1/volumes/a/b/",
        "/v1/volumes/a/b/c", "/V1/volumes", "/v1%2Fvolumes"})
    EXPECT_EQ(target("GET", path), -404) << path;
}

TEST(RouterTest, WrongMethodIs405WithAllow) {
  const auto router = example();
  const auto match = router.match("PUT", "/v1/volumes/a/b");
  ASSERT_FALSE(match);
  EXPECT_EQ(match.error().status, 405);
  EXPECT_THAT(match.error().headers, ElementsAre(Pair("Allow", "DELETE, GET, HEAD")));
}

TEST(RouterTest, BrokenEscapeIs400) {
  EXPECT_EQ(target("GET", "/v1/volumes/%zz/b"), -400);
}

TEST(RouterDeathTest, BadTablesAreDefects) {
  const auto build = [](std::string_view pattern) { Router<int>({{"GET", pattern, 1}}); };
  EXPECT_DEATH(build("v1"), "");
  EXPECT_DEATH(build("/{}"), "");
  EXPECT_DEATH(build("/{a"), "");
  EXPECT_DEATH(build("/a{b}"), "");
  EXPECT_DEATH(Router<int>({{"GET", "/a", 1}, {"GET", "/a", 2}}), "");
}

TEST(QueryTest, Parses) {
  EXPECT_THAT(*parse_query(""), ElementsAre());
  EXPECT_THAT(
      *parse_query("b=2&a=x%20y+z&&flag&empty=&c=1=2"),
      ElementsAre(Pair("a", "x y z"), Pair("b", "2"), Pair("c", "1=2"), Pair("empty", ""), Pair("flag", "")));
}

TEST(QueryTest, Refuses) {
  for (const std::string_view text : {"a=1&a=2", "a&%61", "=1", "a=%", "%00=1"})
    EXPECT_EQ(parse_query(text).error().code, Code::invalid_argument) << text;
}

TEST(ProblemTest, IsValidJsonWhateverTheDetail) {
  const Response response = problem(404, "not_found", "no \"x\"\\\n\x01\xFF\xC3\xA4");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"code\":\"not_found\","
            "\"detail\":\"no \\\"x\\\"\\\\\\n\\u0001\xEF\xBF\xBD\xC3\xA4\"}");
}

TEST(ProblemTest, ReplacesInvalidUtf8) {
  const std::string bad = "\"\xEF\xBF\xBD";
  EXPECT_EQ(json_quote("\xC0\xAF"), bad + "\xEF\xBF\xBD\"");                  // overlong
  EXPECT_EQ(json_quote("\xED\xA0\x80"), bad + "\xEF\xBF\xBD\xEF\xBF\xBD\"");  // surrogate
  EXPECT_EQ(json_quote("\xF4\x90\x80\x80").substr(0, 4), bad);                // above U+10FFFF
  EXPECT_EQ(json_quote("\xE2\x82"), bad + "\xEF\xBF\xBD\"");                  // cut off
  EXPECT_EQ(json_quote("\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xE2\x82\xAC\xF0\x9F\x98\x80\"");  // valid
}

}  // namespace
}  // namespace volplugin::http
