// SPDX-License-Identifier: Apache-2.0
#include "rest/headers.h"

#include "base/op.h"
#include "model/names.h"

#include <algorithm>
#include <charconv>

namespace volplugin::rest {
namespace {

constexpr size_t kMaxToken = 64;

// Fit for logs and records as it is.
bool is_token(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= kMaxToken && std::ranges::all_of(text, allowed);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Error refuse(std::string_view where, std::string_view value, std::string_view rule) {
  return make_error(Code::invalid_argument,
                    fmt::format("{} '{}': must be {}", where, model::printable(value), rule));
}

}  // namespace

std::string request_id_of(const http::Request& request) {
  const std::string_view given = request.header("x-request-id");
  return is_token(given) ? std::string(given) : make_request_id();
}

std::string actor_of(const http::Request& request) {
  const std::string_view given = request.header("x-volplugin-actor");
  return is_token(given) ? std::string(given) : "rest";
}

Result<Millis> timeout_of(const http::Request& request, Millis longest) {
  const std::string_view given = request.header("request-timeout-ms");
  if (given.empty()) return longest;
  const auto number = parse_number(given);
  if (!number || *number == 0)
    return refuse("header Request-Timeout-Ms", given, "a whole number of milliseconds above 0");
  return *number < static_cast<std::uint64_t>(longest.count()) ? Millis(*number) : longest;
}

Result<std::optional<std::uint64_t>> wanted_revision(const http::Request& request) {
  const std::string_view match = request.header("if-match");
  const std::string_view none_match = request.header("if-none-match");
  if (!match.empty() && !none_match.empty())
    return make_error(Code::invalid_argument, "headers If-Match and If-None-Match: give one of them");
  if (!none_match.empty()) {
    if (none_match != "*") return refuse("header If-None-Match", none_match, "* here");
    return std::optional<std::uint64_t>(0);
  }
  if (match.empty()) return std::optional<std::uint64_t>();
  const bool quoted = match.size() > 2 && match.starts_with('"') && match.ends_with('"');
  const auto number = quoted ? parse_number(match.substr(1, match.size() - 2)) : std::nullopt;
  if (!number || *number == 0) return refuse("header If-Match", match, "one ETag, like \"12\"");
  return number;
}

Result<std::optional<std::uint64_t>> followed_revision(const http::Request& request,
                                                       const http::Query& query) {
  const auto after = query.find("after");
  const std::string_view last = request.header("last-event-id");
  if (last.empty() && after == query.end()) return std::optional<std::uint64_t>();
  const std::string_view given = last.empty() ? std::string_view(after->second) : last;
  const auto number = parse_number(given);
  if (!number)
    return refuse(last.empty() ? "query after" : "header Last-Event-ID", given,
                  "the id of an event, a number");
  return number;
}

Result<service::ListQuery> list_query(const http::Query& query) {
  service::ListQuery list;
  if (const auto tenant = query.find("tenant"); tenant != query.end())
    list.tenant = TRY_CTX(model::TenantTag::parse(tenant->second), "query tenant").str();
  if (const auto volume = query.find("volume"); volume != query.end())
    list.volume = TRY_CTX(model::parse_volume_id(volume->second), "query volume").name();
  if (const auto node = query.find("node"); node != query.end())
    list.node = TRY_CTX(model::NodeTag::parse(node->second), "query node").str();
  if (const auto after = query.find("after"); after != query.end()) list.after = after->second;
  const auto limit = query.find("limit");
  if (limit == query.end()) return list;
  const auto number = parse_number(limit->second);
  if (!number || *number == 0 || *number > service::ListQuery::kMaxLimit)
    return refuse("query limit", limit->second,
                  fmt::format("a whole number from 1 to {}", service::ListQuery::kMaxLimit));
  list.limit = *number;
  return list;
}

}  // namespace volplugin::rest
