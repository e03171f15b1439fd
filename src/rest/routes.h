// SPDX-License-Identifier: Apache-2.0
// The table of the REST API's routes: the one place that says what there is. api/openapi.yaml describes
// the same to others; a test holds the two together.
#pragma once

#include "base/clock.h"
#include "rest/call.h"

#include <string_view>
#include <vector>

namespace volplugin::rest {

// Where a call runs.
enum class Kind {
  quick,    // on the HTTP server's threads: nothing slower than a commit to the store
  storage,  // waits for storage work, perhaps for minutes: on threads of its own
};

struct RouteInfo {
  std::string_view method;
  std::string_view pattern;
  std::vector<std::string_view> query;  // the keys it knows
  Kind kind = Kind::quick;
  Handler handler = nullptr;
};

const std::vector<RouteInfo>& routes();

}  // namespace volplugin::rest
