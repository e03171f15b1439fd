// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"
#include "base/clock.h"
#include "base/faults.h"
#include "base/op.h"

#include <set>

#include <gtest/gtest.h>

namespace volplugin {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return make_error(Code::invalid_argument, "odd");
  return number / 2;
}

Result<int> quarter(int number) {
  return TRY_CTX(half(TRY(half(number))), "quartering {}", number);
}

TEST(Result, TryReturnsTheErrorWithContext) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(7).error().message, "odd");
  EXPECT_EQ(quarter(6).error().message, "quartering 6: odd");
}

TEST(Error, WordsOfCodesAreUniqueAndReadBack) {
  std::set<std::string_view> words;
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    const Code code = static_cast<Code>(i);
    EXPECT_TRUE(words.insert(to_string(code)).second);
    EXPECT_EQ(code_from_string(to_string(code)), code);
  }
}

TEST(Error, ErrnoBecomesAKind) {
  EXPECT_EQ(errno_error(ENOSPC, "writing").code, Code::resource_exhausted);
  EXPECT_EQ(errno_error(EBUSY, "unmounting '/x'").message, "unmounting '/x': Device or resource busy");
}

TEST(Clock, Rfc3339ReadsBackAndRefusesOtherForms) {
  const FakeClock clock;
  const std::string text = format_rfc3339(clock.wall());
  EXPECT_EQ(text, "2023-11-14T22:13:20.001Z");
  EXPECT_EQ(*parse_rfc3339(text), clock.wall());
  for (const char* bad : {"", "2023", "2023-13-14T22:13:20.001Z", "2023-02-30T22:13:20.001Z",
                          "2023-11-14T24:13:20.001Z", "2023-11-14T22:13:20.001Zx", "2023-11-14 22:13:20"})
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
}

TEST(Op, DeadlinesOnlyShrink) {
  FakeClock clock;
  const Op op(clock, Millis(100), "id", "test");
  EXPECT_EQ(op.with_timeout(Millis(500)).remaining(), Millis(100));
  EXPECT_EQ(op.with_timeout(Millis(50)).remaining(), Millis(50));
  clock.advance(Millis(100));
  EXPECT_EQ(op.check("x").error().code, Code::deadline_exceeded);
  EXPECT_EQ(op.remaining(), Millis(0));
  EXPECT_TRUE(op.for_cleanup(Millis(10)).check("x"));
}

TEST(Op, StopIsSeen) {
  const FakeClock clock;
  std::stop_source stop;
  const Op op(clock, Millis(100), "id", "test", stop.get_token());
  EXPECT_TRUE(op.check("x"));
  stop.request_stop();
  EXPECT_EQ(op.check("x").error().code, Code::cancelled);
  EXPECT_TRUE(op.for_cleanup(Millis(10)).check("x"));
}

TEST(Bytes, RoundsUp) {
  EXPECT_EQ(round_up(Bytes{1}, Bytes::kib(4)), Bytes::kib(4));
  EXPECT_EQ(round_up(Bytes::kib(4), Bytes::kib(4)), Bytes::kib(4));
}

TEST(Faults, AnArmedPointFailsAndOthersDoNot) {
  ASSERT_TRUE(faults::arm("mount_attached=fail"));
  EXPECT_TRUE(faults::hit(Fault::mount_mounted));
  EXPECT_EQ(faults::hit(Fault::mount_attached).error().effect, Effect::unknown);
  faults::disarm();
  EXPECT_TRUE(faults::hit(Fault::mount_attached));
  EXPECT_FALSE(faults::arm("nothing"));
  EXPECT_FALSE(faults::arm("mount_attached=explode"));
}

TEST(Faults, TheNamesAreInTheOrderOfTheEnum) {
  EXPECT_EQ(faults::names()[static_cast<size_t>(Fault::create_recorded)], "create_recorded");
  EXPECT_EQ(faults::names()[static_cast<size_t>(Fault::mount_recorded)], "mount_recorded");
  EXPECT_EQ(faults::names()[static_cast<size_t>(Fault::unmount_journaled)], "unmount_journaled");
  EXPECT_EQ(faults::names().size(), static_cast<size_t>(Fault::snapshot_forgotten) + 1);
  EXPECT_EQ(faults::names().back(), "snapshot_forgotten");
}

}  // namespace
}  // namespace volplugin
