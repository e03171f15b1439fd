// SPDX-License-Identifier: Apache-2.0
#include "rest/event_streams.h"

#include "wire/records.h"

#include <algorithm>
#include <memory>

namespace volplugin::rest {
namespace {

http::Stream::Text shared(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

http::Stream::Text comment() {
  return shared(":\n\n");
}

http::Stream::Text reset_text(std::uint64_t revision) {
  return shared(fmt::format("id: {0}\nevent: reset\ndata: {{\"revision\":{0}}}\n\n", revision));
}

// JSON has no line breaks of its own, so one data line holds it.
std::string event_text(const service::Event& event) {
  return fmt::format("event: {}\ndata: {}\n\n", event.kind, wire::to_text(event));
}

http::Response head() {
  return {.status = 200,
          .content_type = "text/event-stream",
          .headers = {{"Cache-Control", "no-store"}},
          .body = {}};
}

}  // namespace

EventStreams::EventStreams(service::EventSource& source, const Clock& clock)
    : source_(source), clock_(clock), last_beat_(clock.now()) {
  source_.observe([this](const service::EventBatch& batch) { take(batch); });
}

EventStreams::~EventStreams() {
  source_.observe({});
}

void EventStreams::take(const service::EventBatch& batch) {
  const std::lock_guard lock(mutex_);
  if (batch.reset) return reset(batch.revision);
  for (size_t begin = 0, end = 0; begin < batch.events.size(); begin = end) {
    const std::uint64_t revision = batch.events[begin].revision;
    std::string text;
    for (end = begin; end < batch.events.size() && batch.events[end].revision == revision; ++end) {
      const bool last = end + 1 == batch.events.size() || batch.events[end + 1].revision != revision;
      if (last) text += fmt::format("id: {}\n", revision);
      text += event_text(batch.events[end]);
    }
    const Text whole = shared(std::move(text));
    keep(revision, whole);
    send_to_all(whole);
  }
  revision_ = batch.revision;
}

void EventStreams::reset(std::uint64_t revision) {
  kept_.clear();
  kept_bytes_ = 0;
  known_from_ = revision_ = revision;
  send_to_all(reset_text(revision));
}

void EventStreams::keep(std::uint64_t revision, Text text) {
  kept_bytes_ += text->size();
  kept_.push_back({revision, std::move(text)});
  while (kept_.size() > kMaxKept || kept_bytes_ > kMaxKeptBytes) {
    known_from_ = kept_.front().revision;
    kept_bytes_ -= kept_.front().text->size();
    kept_.pop_front();
  }
}

// Those that are gone or too slow are forgotten.
void EventStreams::send_to_all(const Text& text) {
  std::erase_if(listeners_, [&](const http::Stream& listener) { return !listener.write(text); });
}

Result<> EventStreams::add(std::optional<std::uint64_t> after, const Begin& begin) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [](const http::Stream& listener) { return !listener.is_open(); });
  if (listeners_.size() >= kMaxListeners)
    return make_error(Code::unavailable,
                      fmt::format("{} listeners follow the events already; try again later", kMaxListeners));
  http::Stream listener = begin(head(), kMaxWaiting);
  listener.write(after && knows(*after) ? comment() : reset_text(revision_));
  if (after && knows(*after))
    for (const Kept& kept : kept_)
      if (kept.revision > *after) listener.write(kept.text);
  listeners_.push_back(std::move(listener));
  return {};
}

void EventStreams::tick() {
  const std::lock_guard lock(mutex_);
  if (clock_.now() - last_beat_ < kHeartbeat) return;
  last_beat_ = clock_.now();
  send_to_all(comment());
}

size_t EventStreams::listeners() const {
  const std::lock_guard lock(mutex_);
  return listeners_.size();
}

}  // namespace volplugin::rest
