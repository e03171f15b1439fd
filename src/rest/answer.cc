// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"

#include "http/problem.h"

#include <algorithm>
#include <ranges>

namespace volplugin::rest {

int status_of(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return 400;
    case Code::not_found:
      return 404;
    case Code::already_exists:
    case Code::conflict:
    case Code::busy:
      return 409;
    case Code::unsupported:
      return 422;
    case Code::permission_denied:
      return 403;
    case Code::resource_exhausted:
      return 507;
    case Code::unavailable:
    case Code::cancelled:
      return 503;
    case Code::deadline_exceeded:
      return 504;
    case Code::corrupt:
    case Code::internal:
      return 500;
  }
  return 500;
}

http::Response problem(int status, const Error& error) {
  json::Writer writer;
  writer.begin_object().field("type", "about:blank").field("title", http::reason_phrase(status));
  writer.field("status", status).field("code", to_string(error.code)).field("detail", error.message);
  writer.field("effect-unknown", error.effect == Effect::unknown).end_object();
  http::Response response = json(status, writer.take());
  response.content_type = "application/problem+json";
  return response;
}

http::Response problem(const Error& error) {
  return problem(status_of(error.code), error);
}

http::Response not_ready(const http::Request& request, const Error& why, std::string_view version) {
  if (request.path != "/v1/health") return problem(why);
  json::Writer writer;
  writer.begin_object().field("ok", false).field("store", why.message).field("version", version).end_object();
  return json(status_of(Code::unavailable), writer.take());
}

http::Response json(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

http::Response no_content() {
  return json(204, "");
}

std::string etag(std::uint64_t revision) {
  return fmt::format("\"{}\"", revision);
}

bool names_etag(std::string_view list, std::uint64_t revision) {
  const std::string wanted = etag(revision);
  return std::ranges::any_of(std::views::split(list, ','), [&](const auto& part) {
    std::string_view one(part.begin(), part.end());
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    return one == wanted || one == "*";
  });
}

}  // namespace volplugin::rest
