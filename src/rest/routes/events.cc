// SPDX-License-Identifier: Apache-2.0
#include "rest/event_streams.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {

// Goes on until one side ends it; the request's timeout means nothing here.
void follow_events(const Call& call, const Respond& respond) {
  const auto after = followed_revision(call.request, call.query);
  if (!after) return respond(after.error());
  const auto begin = [&respond](http::Response head, size_t max_waiting) {
    return respond.stream(std::move(head), max_waiting);
  };
  if (const auto begun = call.events.add(*after, begin); !begun) respond(begun.error());
}

}  // namespace volplugin::rest
