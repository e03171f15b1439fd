// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <gtest/gtest.h>

namespace volplugin::http {
namespace {

TEST(EncodeTest, RoundTrip) {
  std::string all;
  for (int i = 1; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(*decode(encode(all)), all);
  EXPECT_EQ(encode("az-._~ /%+\xC3\xA4"), "az-._~%20%2F%25%2B%C3%A4");
  EXPECT_EQ(*decode("%2f%2F+"), "//+");
}

TEST(EncodeTest, BrokenEscapes) {
  for (const std::string_view text : {"%", "%4", "a%", "%zz", "%4g", "%00", "a%00b"})
    EXPECT_EQ(decode(text).error().code, Code::invalid_argument) << text;
  EXPECT_FALSE(decode(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace volplugin::http
