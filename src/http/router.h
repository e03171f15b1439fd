// SPDX-License-Identifier: Apache-2.0
// Router: a table of routes to one target each. Immutable after construction, so safe from any thread.
//   Router<Endpoint> router({{"GET", "/v1/volumes/{tenant}/{volume}", get_volume}, ...});
//   auto match = router.match(request.method, request.path);
//   if (!match) return reply.send(std::move(match.error()));
//   match->target(match->params["tenant"]);
#pragma once

#include "base/result.h"
#include "http/problem.h"
#include "http/server.h"

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace volplugin::http {

// A pattern is literal segments and parameters "{name}", each a whole, not empty segment. Pattern and method
// must outlive the router (string literals).
template <class Target>
struct Route {
  std::string_view method;
  std::string_view pattern;
  Target target;
};

// Decoded values of the parameters of one match.
class Params {
 public:
  // Requires: the pattern has a parameter of that name.
  const std::string& operator[](std::string_view name) const;

 private:
  friend class RouteTable;
  std::vector<std::pair<std::string_view, std::string>> values_;
};

// The part of the router that does not depend on the target's type.
class RouteTable {
 public:
  struct Found {
    size_t index = 0;
    Params params;
  };

  // Requires: the pattern is well-formed and no route has the same method and pattern.
  void add(std::string_view method, std::string_view pattern);
  // The first route in the order of add() that fits. HEAD fits a GET route. The error is the answer to
  // send: 400 for a broken escape, 404, or 405 with Allow.
  std::expected<Found, Response> find(std::string_view method, std::string_view path) const;

 private:
  struct Entry {
    std::string_view method;
    std::string_view pattern;
    std::vector<std::string_view> segments;
  };

  std::vector<Entry> entries_;
};

template <class Target>
class Router {
 public:
  struct Match {
    const Target& target;
    Params params;
  };

  explicit Router(std::vector<Route<Target>> routes) : routes_(std::move(routes)) {
    for (const auto& route : routes_) table_.add(route.method, route.pattern);
  }

  // See RouteTable::find(). `path` is the raw path of a request.
  std::expected<Match, Response> match(std::string_view method, std::string_view path) const {
    auto found = table_.find(method, path);
    if (!found) return std::unexpected(std::move(found.error()));
    return Match{routes_[found->index].target, std::move(found->params)};
  }

 private:
  std::vector<Route<Target>> routes_;
  RouteTable table_;
};

using Query = std::map<std::string, std::string, std::less<>>;

// "a=1&b=x%20y" decoded; '+' is a blank, a key without '=' has an empty value. Errors: invalid_argument for
// a broken escape, an empty key, or a key that comes twice.
Result<Query> parse_query(std::string_view text);

}  // namespace volplugin::http
