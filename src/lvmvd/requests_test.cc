// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/requests.h"

#include "lvmvd/first_value.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volplugin::lvmvd {
namespace {

using testing::HasSubstr;

TEST(FirstValueTest, EndsWhereTheValueEnds) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "{}"},
      {" \t\r\n{\"a\" : 1 } trailing", "{\"a\" : 1 }"},
      {"{}{}", "{}"},
      {"{\"a\":[1,-0.5e+7,1E2,2e-1,true,false,null,{\"b\":\"\\u00fF\\n\\\"\"}]}}}",
       "{\"a\":[1,-0.5e+7,1E2,2e-1,true,false,null,{\"b\":\"\\u00fF\\n\\\"\"}]}"},
      {"[]x", "[]"},
      {"[ ]", "[ ]"},
      {"null,", "null"},
      {"12", "12"},
      {"01", "0"},
      {"\"a\"b", "\"a\""},
      {"\"\x7f\xc3\xa4\"", "\"\x7f\xc3\xa4\""},
  };
  for (const auto& [text, value] : cases) {
    const auto found = first_json_value(text);
    ASSERT_TRUE(found) << text << found.error().message;
    EXPECT_EQ(*found, value);
  }
}

TEST(FirstValueTest, SaysWhatIsWrongAsGoDoes) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "EOF"},
      {" \n", "EOF"},
      {"{", "unexpected EOF"},
      {"{\"a", "unexpected EOF"},
      {"{\"a\":1", "unexpected EOF"},
      {"[1,", "unexpected EOF"},
      {"-", "unexpected EOF"},
      {"1.", "unexpected EOF"},
      {"tru", "unexpected EOF"},
      {"\"\\", "unexpected EOF"},
      {"\"\\u12", "unexpected EOF"},
      {"x", "invalid character 'x' looking for beginning of value"},
      {"}", "invalid character '}' looking for beginning of value"},
      {"Name=x", "invalid character 'N' looking for beginning of value"},
      {"{x}", "invalid character 'x' looking for beginning of object key string"},
      {"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
      {"{'a':1}", "invalid character '\\'' looking for beginning of object key string"},
      {"{\"a\" 1}", "invalid character '1' after object key"},
      {"{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"},
      {"{\"a\":}", "invalid character '}' looking for beginning of value"},
      {"[1 2]", "invalid character '2' after array element"},
      {"[,]", "invalid character ',' looking for beginning of value"},
      {"{\"a\n\":1}", "invalid character '\\n' in string literal"},
      {std::string("\"\0\"", 3), "invalid character '\\x00' in string literal"},
      {"\"\\x\"", "invalid character 'x' in string escape code"},
      {"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
      {"-x", "invalid character 'x' in numeric literal"},
      {"1.x", "invalid character 'x' after decimal point in numeric literal"},
      {"1ex", "invalid character 'x' in exponent of numeric literal"},
      {"trux", "invalid character 'x' in literal true (expecting 'e')"},
      {"fa1", "invalid character '1' in literal false (expecting 'l')"},
      {"nil", "invalid character 'i' in literal null (expecting 'u')"},
      {"\\", "invalid character '\\\\' looking for beginning of value"},
      {"\x7f", "invalid character '\\x7f' looking for beginning of value"},
      {"\xc3\xa4", "invalid character '\xc3\x83' looking for beginning of value"},
      {"\x85", "invalid character '\\u0085' looking for beginning of value"},
  };
  for (const auto& [text, message] : cases) {
    const auto found = first_json_value(text);
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code, Code::invalid_argument);
    EXPECT_EQ(found.error().message, message) << text;
  }
}

TEST(FirstValueTest, DepthIsBounded) {
  EXPECT_TRUE(first_json_value(std::string(64, '[') + std::string(64, ']')));
  const auto found = first_json_value(std::string(1'000'000, '['));
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("nested deeper than 64"));
}

TEST(RequestTest, NameIdAndOptions) {
  const auto request = parse_request(
      R"( {"Name":"x","ID":"i","Opts":{"size":"4","Size":8,"none":null},"New":[1]} {"Name":"y"})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->name, "x");
  EXPECT_EQ(request->mount_id, "i");
  EXPECT_EQ(request->options, (std::map<std::string, std::string>{{"Size", "8"}, {"size", "4"}}));
  for (const char* body :
       {R"({"Name":"x"})", R"({"Name":"x","Opts":null,"ID":null})", R"({"Name":"x","Opts":{}}garbage)"}) {
    const auto plain = parse_request(body);
    ASSERT_TRUE(plain) << body;
    EXPECT_EQ(plain->name, "x");
    EXPECT_EQ(plain->mount_id, "");
    EXPECT_TRUE(plain->options.empty());
  }
}

TEST(RequestTest, WhatIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "EOF"},
      {"{", "unexpected EOF"},
      {"[]", "json: cannot unmarshal array into Go value of type map[string]interface {}"},
      {"\"x\"", "json: cannot unmarshal string into Go value of type map[string]interface {}"},
      {"1", "json: cannot unmarshal number into Go value of type map[string]interface {}"},
      {"-1", "json: cannot unmarshal number into Go value of type map[string]interface {}"},
      {"true", "json: cannot unmarshal bool into Go value of type map[string]interface {}"},
      {"null", "Illegal request"},
      {"{}", "Illegal request"},
      {R"({"name":"x"})", "Illegal request"},
      {R"({"Name":null})", "Illegal request"},
      {R"({"Name":1})", "Illegal request"},
      {R"({"Name":["x"]})", "Illegal request"},
      {R"({"Name":"x","ID":1})", "ID: must be a string, not number"},
      {R"({"Name":"x","Opts":[]})", "Opts: must be an object, not array"},
      {R"({"Name":"x","Opts":{"size":true}})", "Opts.size: must be a string or a whole number"},
      {R"({"Name":"x","Opts":{"size":1.5}})", "Opts.size: must be a string or a whole number"},
      {R"({"Name":"x","Opts":{"size":-1}})", "Opts.size: must be a string or a whole number"},
      {R"({"Name":"x","Name":"y"})", "request: the key \"Name\" is given twice"},
  };
  for (const auto& [body, message] : cases) {
    const auto request = parse_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().code, Code::invalid_argument);
    EXPECT_EQ(request.error().message, message) << body;
  }
}

TEST(RequestTest, TheEngineIsKnownByWhatItAccepts) {
  http::Request request;
  EXPECT_FALSE(comes_from_engine(request));
  request.headers = {{"accept", "*/*"}};
  EXPECT_FALSE(comes_from_engine(request));
  request.headers = {{"accept", "application/vnd.docker.plugins.v1.2+json"}};
  EXPECT_TRUE(comes_from_engine(request));
}

TEST(RequestTest, MarkupIsEscapedInAnswers) {
  EXPECT_EQ(escape_markup(R"({"Err":"<a> & b"})"), R"({"Err":"\u003ca\u003e \u0026 b"})");
}

}  // namespace
}  // namespace volplugin::lvmvd
