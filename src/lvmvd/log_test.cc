// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/log.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volplugin::lvmvd {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

TEST(LogTest, OneLineWithTheLocalTime) {
  const FakeClock clock;
  std::vector<std::string> lines;
  const Log log(clock, Detail::normal, [&](const std::string& line) { lines.push_back(line); });
  log.line("100% of\n2026/01/01 00:00:00 forged\x1b[31m");
  log.debug("not wanted");
  EXPECT_THAT(lines, ElementsAre(MatchesRegex("2023/11/1[45] [0-2][0-9]:[0-5][0-9]:[0-5][0-9] "
                                              "100% of\\\\x0a2026/01/01 00:00:00 forged\\\\x1b\\[31m\n")));
}

TEST(LogTest, DebugLinesWhenAskedFor) {
  const FakeClock clock;
  std::vector<std::string> lines;
  const Log log(clock, Detail::debug, [&](const std::string& line) { lines.push_back(line); });
  log.debug("wanted");
  EXPECT_THAT(lines, ElementsAre(testing::EndsWith(" wanted\n")));
}

}  // namespace
}  // namespace volplugin::lvmvd
