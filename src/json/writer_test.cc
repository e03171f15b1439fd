// SPDX-License-Identifier: Apache-2.0
#include "json/writer.h"

#include "json/reader.h"

#include <gtest/gtest.h>

namespace volplugin::json {
namespace {

using namespace std::string_view_literals;

std::string written(std::string_view text) {
  return Writer().string(text).take();
}

TEST(Writer, plain_text_stays_as_it_is) {
  EXPECT_EQ(written(""), R"("")");
  EXPECT_EQ(written("a"), R"("a")");
  EXPECT_EQ(written(" mkfs.ext4 -m0 % ~"), R"(" mkfs.ext4 -m0 % ~")");
}

TEST(Writer, escapes_wherever_they_stand) {
  EXPECT_EQ(written("\"a\\\nb\tc\""), R"("\"a\\\nb\tc\"")");
  EXPECT_EQ(written("\x01"
                    "b\x1f"
                    "f\x7f"),
            R"("\u0001b\u001ff\u007f")");
  EXPECT_EQ(written("\0x\0"sv), R"("\u0000x\u0000")");
}

TEST(Writer, text_that_is_no_utf8_is_replaced_and_the_rest_stays) {
  EXPECT_EQ(written("a\xC3\xA4z\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"a\xC3\xA4z\xE2\x82\xAC\xF0\x9F\x98\x80\"");
  EXPECT_EQ(written("a\xC3"), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(written("\xFFz\xED\xA0\x80"), "\"\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(Writer, every_byte_comes_out_as_json_that_can_be_read) {
  for (int first = 0; first < 256; ++first)
    for (const std::string& text : {std::string(1, char(first)), "ab" + std::string(1, char(first)) + "cd"})
      EXPECT_TRUE(Value::parse(Writer().begin_array().string(text).end_array().take(), "x")) << first;
}

TEST(Writer, what_has_to_be_escaped_is_found_at_every_place) {
  for (size_t at = 0; at < 20; ++at)
    for (int byte = 0; byte < 0x80; ++byte) {
      std::string text(20, 'x');
      text[at] = char(byte);
      const bool escaped = byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
      const std::string json = written(text);
      EXPECT_EQ(json.size() > text.size() + 2, escaped) << byte << " at " << at;
      const auto read = Value::parse(json, "text");
      ASSERT_TRUE(read) << byte << " at " << at;
      EXPECT_EQ(*read->as_string(), text) << byte << " at " << at;
    }
}

}  // namespace
}  // namespace volplugin::json
