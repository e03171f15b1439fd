// SPDX-License-Identifier: Apache-2.0
// RestEvents: what changes, as one of several volmasters tells it (GET /v1/events, server-sent events).
// Thread-safe.
#pragma once

#include "client/exchange.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::client {

// Cuts the text of a stream into events. Not thread-safe.
class EventText {
 public:
  // An event without its end is kept for the next part. Errors: corrupt for one above 16 MiB.
  using Take = std::function<bool(std::string_view event, std::string_view data)>;
  // False: `take` has enough.
  Result<bool> add(std::string_view part, const Take& take);

 private:
  std::string rest_;
};

class RestEvents {
 public:
  // See RestVolmaster::open().
  static Result<std::unique_ptr<RestEvents>> open(const std::vector<std::string>& addresses,
                                                  std::string actor, Patience patience = {});

  // Calls `take` for each event with its kind and its JSON, until that returns false, which is success.
  // `after`: goes on behind that revision, if volmaster still knows what came then. Blocks; the Op's deadline
  // is for the first one. Errors: unavailable (cannot be reached, or was lost), cancelled, corrupt.
  Result<> follow(const Op& op, std::optional<std::uint64_t> after, const EventText::Take& take) const;

 private:
  explicit RestEvents(Exchange exchange) : exchange_(std::move(exchange)) {}

  const Exchange exchange_;
};

}  // namespace volplugin::client
