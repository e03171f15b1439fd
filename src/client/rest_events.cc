// SPDX-License-Identifier: Apache-2.0
#include "client/rest_events.h"

namespace volplugin::client {
namespace {

constexpr size_t kMaxEvent = size_t{16} << 20;

// The value of a field of an event, which volmaster writes in one line each.
std::string_view field(std::string_view block, std::string_view name) {
  while (!block.empty()) {
    const std::string_view line = block.substr(0, block.find('\n'));
    block.remove_prefix(std::min(block.size(), line.size() + 1));
    if (line.starts_with(name)) return line.substr(name.size());
  }
  return {};
}

}  // namespace

Result<bool> EventText::add(std::string_view part, const Take& take) {
  rest_ += part;
  size_t done = 0;
  for (size_t end = 0; (end = rest_.find("\n\n", done)) != std::string::npos; done = end + 2) {
    const auto block = std::string_view(rest_).substr(done, end - done);
    const auto data = field(block, "data: ");
    if (!data.empty() && !take(field(block, "event: "), data)) return false;  // else a comment
  }
  rest_.erase(0, done);
  if (rest_.size() > kMaxEvent) return make_error(Code::corrupt, "an event has no end");
  return true;
}

Result<std::unique_ptr<RestEvents>> RestEvents::open(const std::vector<std::string>& addresses,
                                                     std::string actor, Patience patience) {
  Exchange exchange = TRY(Exchange::open(addresses, std::move(actor), patience));
  return std::unique_ptr<RestEvents>(new RestEvents(std::move(exchange)));
}

Result<> RestEvents::follow(const Op& op, std::optional<std::uint64_t> after,
                            const EventText::Take& take) const {
  EventText text;
  Result<bool> going_on = true;
  TRY(exchange_.follow(op, {.target = after ? fmt::format("/v1/events?after={}", *after) : "/v1/events"},
                       [&](std::string_view part) {
                         going_on = text.add(part, take);
                         return going_on && *going_on;
                       }));
  TRY(going_on);
  return {};
}

}  // namespace volplugin::client
