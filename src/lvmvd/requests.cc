// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/requests.h"

#include "json/reader.h"
#include "lvmvd/first_value.h"

namespace volplugin::lvmvd {
namespace {

constexpr std::string_view kEngineAccepts = "application/vnd.docker.plugins.";

Error illegal_request() {
  return make_error(Code::invalid_argument, "Illegal request");
}

std::string_view kind_of(char first) {
  switch (first) {
    case '[':
      return "array";
    case '"':
      return "string";
    case 't':
    case 'f':
      return "bool";
    default:
      return "number";
  }
}

Result<std::string> option_text(const json::Value& value) {
  if (const auto number = value.as_uint()) return std::to_string(*number);
  if (auto text = value.as_string()) return text;
  return value.error("must be a string or a whole number");
}

Result<std::map<std::string, std::string>> parse_options(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  std::map<std::string, std::string> options;
  for (const auto& key : object.keys())
    if (const auto option = object.find(key)) options.emplace(key, TRY(option_text(*option)));
  return options;
}

}  // namespace

Result<dockerplugin::VolumeRequest> parse_request(std::string_view body) {
  const auto text = TRY(first_json_value(body));
  const auto value = TRY(json::Value::parse(text, "request"));
  if (value.is_null()) return illegal_request();
  if (!value.is_object())
    return make_error(Code::invalid_argument,
                      fmt::format("json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                                  kind_of(text.front())));
  auto object = TRY(json::Object::open(value));
  auto name = object.string("Name");
  if (!name) return illegal_request();
  dockerplugin::VolumeRequest request;
  request.name = std::move(*name);
  request.mount_id = TRY(object.string_or("ID", ""));
  if (const auto options = object.find("Opts")) request.options = TRY(parse_options(*options));
  return request;
}

bool comes_from_engine(const http::Request& request) {
  return request.header("accept").starts_with(kEngineAccepts);
}

std::string escape_markup(std::string_view json) {
  std::string out;
  for (const char c : json) {
    if (c == '<' || c == '>' || c == '&')
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out;
}

}  // namespace volplugin::lvmvd
