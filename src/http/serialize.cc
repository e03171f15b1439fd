// SPDX-License-Identifier: Apache-2.0
#include "http/serialize.h"

#include "http/problem.h"

#include <algorithm>
#include <iterator>

#include <strings.h>

namespace volplugin::http {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool is_ours(const std::string& name) {
  return strcasecmp(name.c_str(), "content-length") == 0 || strcasecmp(name.c_str(), "connection") == 0 ||
         strcasecmp(name.c_str(), "transfer-encoding") == 0;
}

bool has_no_body(int status) {
  return status == 204 || status == 304;
}

}  // namespace

bool body_allowed(const Response& response, const Framing& framing) {
  return !framing.head && !has_no_body(response.status);
}

Result<std::string> serialize_head(const Response& response, const Framing& framing, Length length) {
  if (response.status < 200 || response.status > 599)
    return make_error(Code::internal, fmt::format("response status {} is none", response.status));
  if (!is_value(response.content_type))
    return make_error(Code::internal, "response content type has a line break or NUL in it");
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  const auto append = [&out](std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
  };
  if (!has_no_body(response.status)) {
    if (!response.content_type.empty()) append("Content-Type", response.content_type);
    if (length == Length::known) append("Content-Length", std::to_string(response.body.size()));
  }
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name) || !is_value(value) || is_ours(name))
      return make_error(Code::internal, fmt::format("response header {} is not allowed", json_quote(name)));
    append(name, value);
  }
  if (!framing.keep_alive)
    append("Connection", "close");
  else if (!framing.http11)
    append("Connection", "keep-alive");
  out += "\r\n";
  return out;
}

}  // namespace volplugin::http
