// SPDX-License-Identifier: Apache-2.0
#include "http/router.h"

#include "base/check.h"
#include "http/client.h"

#include <algorithm>
#include <ranges>

namespace volplugin::http {
namespace {

// "/a/{b}" to "a", "{b}". Requires a '/' in front.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t slash = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, slash));
    path.remove_prefix(slash);
  }
  return segments;
}

bool is_param(std::string_view segment) {
  return segment.starts_with('{');
}

bool well_formed(std::string_view segment) {
  if (is_param(segment)) {
    return segment.size() > 2 && segment.ends_with('}') &&
           segment.substr(1).find_first_of("{/") == std::string_view::npos;
  }
  return segment.find_first_of("{}%") == std::string_view::npos;
}

bool fits(const std::vector<std::string_view>& pattern, const std::vector<std::string>& path) {
  return std::ranges::equal(pattern, path, [](std::string_view want, const std::string& have) {
    return is_param(want) ? !have.empty() : want == have;
  });
}

Response not_allowed(std::vector<std::string_view> methods) {
  if (std::ranges::find(methods, "GET") != methods.end()) methods.emplace_back("HEAD");
  std::ranges::sort(methods);
  const auto duplicates = std::ranges::unique(methods);
  methods.erase(duplicates.begin(), duplicates.end());
  const std::string allow = fmt::format("{}", fmt::join(methods, ", "));
  Response response = problem(405, to_string(Code::invalid_argument), "this path takes " + allow);
  response.headers.emplace_back("Allow", allow);
  return response;
}

}  // namespace

const std::string& Params::operator[](std::string_view name) const {
  const auto found = std::ranges::find(values_, name, [](const auto& value) { return value.first; });
  CHECK(found != values_.end());
  return found->second;
}

void RouteTable::add(std::string_view method, std::string_view pattern) {
  CHECK(!method.empty() && pattern.starts_with('/'));
  std::vector<std::string_view> segments = split(pattern);
  CHECK(std::ranges::all_of(segments, well_formed));
  CHECK(std::ranges::none_of(entries_,
                             [&](const Entry& e) { return e.method == method && e.pattern == pattern; }));
  entries_.push_back({method, pattern, std::move(segments)});
}

std::expected<RouteTable::Found, Response> RouteTable::find(std::string_view method,
                                                            std::string_view path) const {
  const auto not_found = [&] {
    return std::unexpected(problem(404, to_string(Code::not_found), fmt::format("there is no '{}'", path)));
  };
  if (!path.starts_with('/')) return not_found();
  std::vector<std::string> segments;
  for (const std::string_view segment : split(path)) {
    auto decoded = decode(segment);
    if (!decoded)
      return std::unexpected(problem(400, to_string(decoded.error().code), decoded.error().message));
    segments.push_back(std::move(*decoded));
  }
  std::vector<std::string_view> others;
  for (size_t index = 0; index < entries_.size(); ++index) {
    const Entry& entry = entries_[index];
    if (!fits(entry.segments, segments)) continue;
    if (entry.method != method && !(method == "HEAD" && entry.method == "GET")) {
      others.push_back(entry.method);
      continue;
    }
    Found found{.index = index, .params = {}};
    for (size_t i = 0; i < segments.size(); ++i) {
      const std::string_view name = entry.segments[i];
      if (is_param(name)) found.params.values_.emplace_back(name.substr(1, name.size() - 2), segments[i]);
    }
    return found;
  }
  if (others.empty()) return not_found();
  return std::unexpected(not_allowed(std::move(others)));
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  for (const auto part : std::views::split(text, '&')) {
    std::string pair(part.begin(), part.end());
    if (pair.empty()) continue;
    std::ranges::replace(pair, '+', ' ');
    const size_t equals = std::min(pair.find('='), pair.size());
    std::string key = TRY(decode(std::string_view(pair).substr(0, equals)));
    std::string value = TRY(decode(std::string_view(pair).substr(std::min(equals + 1, pair.size()))));
    if (key.empty()) return make_error(Code::invalid_argument, "query: a value without a key");
    if (!query.try_emplace(key, std::move(value)).second)
      return make_error(Code::invalid_argument, fmt::format("query: '{}' is given twice", key));
  }
  return query;
}

}  // namespace volplugin::http
