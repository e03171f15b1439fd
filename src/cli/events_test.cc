// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_for_test.h"

namespace volplugin::cli {
namespace {

using ::testing::HasSubstr;

class EventsTest : public CliTest {
 protected:
  EventsTest() {
    events = {
        {"reset", R"({"revision":4})"},
        {"tenant", R"({"revision":5,"kind":"tenant","name":"t1","change":"put","record":{"name":"t1"}})"},
        {"volume",
         R"({"revision":6,"kind":"volume","name":"t1/a","change":"put","record":{"phase":"ready"}})"},
        {"mount",
         R"({"revision":7,"kind":"mount","name":"t1/a","change":"put","record":{"phase":"mounted","node":"n1"}})"},
        {"session", R"({"revision":8,"kind":"session","name":"n1","change":"put","record":{"node":"n1"}})"},
        {"volume", R"({"revision":9,"kind":"volume","name":"t1/a","change":"erase"})"}};
  }
};

TEST_F(EventsTest, AreLinesUntilTheStreamIsLost) {
  EXPECT_EQ(run("events"), 5);
  EXPECT_EQ(out,
            "4 reset\n"
            "5 tenant put t1\n"
            "6 volume put t1/a ready\n"
            "7 mount put t1/a mounted n1\n"
            "8 session put n1\n"
            "9 volume erase t1/a\n");
  EXPECT_THAT(err, HasSubstr("Error: the stream is lost\n"));
  EXPECT_EQ(followed_after, std::nullopt);
}

TEST_F(EventsTest, AreOneObjectPerLine) {
  EXPECT_EQ(run("events -o json --after 4"), 5);
  EXPECT_EQ(followed_after, 4U);
  std::string expected;
  for (const auto& [event, data] : events) expected += data + "\n";
  EXPECT_EQ(out, expected);
}

TEST_F(EventsTest, WrongUseIsNamed) {
  for (const std::string bad : {"-1", "x", "5x", "99999999999999999999"}) {
    EXPECT_EQ(run("events --after " + bad), 2) << bad;
    EXPECT_THAT(err, HasSubstr("--after: '" + bad + "'"));
  }
  EXPECT_EQ(run("events -o name"), 2);
  EXPECT_THAT(err, HasSubstr("not name"));
  EXPECT_EQ(run("events t1"), 2);
  EXPECT_EQ(run("events --etcd http://127.0.0.1:1"), 2);
  EXPECT_THAT(err, HasSubstr("needs a volmaster"));
}

TEST_F(EventsTest, WhatCannotBeReadEndsIt) {
  events = {{"volume", "{"}};
  EXPECT_EQ(run("events"), 1);
  EXPECT_THAT(err, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace volplugin::cli
