// SPDX-License-Identifier: Apache-2.0
// What the headers and the query of a request say. Pure functions.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "http/router.h"
#include "http/server.h"
#include "service/volmaster.h"

#include <cstdint>
#include <optional>
#include <string>

namespace volplugin::rest {

// X-Request-Id if it has the form [A-Za-z0-9_-]{1,64}, else a new one.
std::string request_id_of(const http::Request& request);
// X-Volplugin-Actor if it has that form, else "rest".
std::string actor_of(const http::Request& request);
// Request-Timeout-Ms, at most `longest`, which holds without the header. Errors: invalid_argument.
Result<Millis> timeout_of(const http::Request& request, Millis longest);

// If-Match: "N" asks for revision N, If-None-Match: * for 0 (absent); neither: nullopt. Errors:
// invalid_argument for both at once and for any other form.
Result<std::optional<std::uint64_t>> wanted_revision(const http::Request& request);

// Last-Event-ID, else `after`: the revision up to which the events are known. Errors: invalid_argument.
Result<std::optional<std::uint64_t>> followed_revision(const http::Request& request,
                                                       const http::Query& query);

// tenant, after and limit of a list. Errors: invalid_argument.
Result<service::ListQuery> list_query(const http::Query& query);

}  // namespace volplugin::rest
