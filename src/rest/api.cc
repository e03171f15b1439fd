// SPDX-License-Identifier: Apache-2.0
#include "rest/api.h"

#include "rest/answer.h"
#include "rest/headers.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

namespace volplugin::rest {
namespace {

http::Router<const RouteInfo*> make_router() {
  std::vector<http::Route<const RouteInfo*>> rows;
  for (const auto& route : routes()) rows.push_back({route.method, route.pattern, &route});
  return http::Router<const RouteInfo*>(std::move(rows));
}

// Longer than any work behind it takes, shorter than the two minutes after which dockerd gives up.
Millis longest(Kind kind) {
  return kind == Kind::storage ? Millis(115'000) : Millis(55'000);
}

Result<http::Query> parse_query_of(const RouteInfo& route, std::string_view text) {
  auto query = TRY(http::parse_query(text));
  for (const auto& [key, value] : query) {
    if (std::ranges::find(route.query, key) != route.query.end()) continue;
    return make_error(
        Code::invalid_argument,
        fmt::format("query: unknown key '{}'; {} {} takes {}", model::printable(key), route.method,
                    route.pattern,
                    route.query.empty() ? "none" : fmt::format("{}", fmt::join(route.query, ", "))));
  }
  return query;
}

}  // namespace

void Respond::operator()(Result<http::Response> answer) const {
  http::Response response = answer ? std::move(*answer) : problem(answer.error());
  response.headers.emplace_back("X-Request-Id", request_id_);
  reply_.send(std::move(response));
}

http::Stream Respond::stream(http::Response head, size_t max_waiting) const {
  head.headers.emplace_back("X-Request-Id", request_id_);
  return reply_.stream(head, max_waiting);
}

// Everything a handler's Call refers to.
struct Api::Work {
  http::Request request;
  const RouteInfo& route;
  http::Params params;
  http::Query query;
  Op op;
};

Api::Api(service::Volmaster& master, service::EventSource& events, const Clock& clock, std::string version)
    : master_(master),
      clock_(clock),
      version_(std::move(version)),
      router_(make_router()),
      events_(events, clock),
      storage_calls_(kStorageThreads, kStorageQueue) {}

void Api::handle(http::Request request, http::Reply reply) {
  const Respond respond(std::move(reply), request_id_of(request));
  if (const auto started = start(std::move(request), respond); !started) respond(started.error());
}

Result<> Api::start(http::Request request, const Respond& respond) {
  auto match = router_.match(request.method, request.path);
  if (!match) {
    respond(std::move(match.error()));
    return {};
  }
  const RouteInfo& route = *match->target;
  auto query = TRY(parse_query_of(route, request.query));
  const Millis timeout = TRY(timeout_of(request, longest(route.kind)));
  // From here the clock runs, also while the call waits for a thread.
  Op op(clock_, timeout, respond.request_id(), actor_of(request), request.gone);
  auto work = std::make_unique<Work>(std::move(request), route, std::move(match->params), std::move(query),
                                     std::move(op));
  auto run = [this, work = std::move(work), respond] {
    const Call call{master_, events_, version_, work->request, work->params, work->query, work->op};
    try {
      work->route.handler(call, respond);
    } catch (const std::exception& error) {
      // Only running out of memory gets here; it must not end the thread, and with it the process.
      respond(
          make_error(Code::internal, fmt::format("the request failed: {}", error.what()), Effect::unknown));
    }
  };
  if (route.kind == Kind::quick) {
    run();
    return {};
  }
  if (storage_calls_.submit(std::move(run))) return {};
  return make_error(Code::unavailable, "too many volumes are being made or removed; try again later");
}

}  // namespace volplugin::rest
