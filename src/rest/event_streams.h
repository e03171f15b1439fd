// SPDX-License-Identifier: Apache-2.0
// EventStreams: everybody who listens to GET /v1/events (server-sent events), and the last events for those
// who come back. An event is made text once and that text shared by all. Costs no thread: events come on the
// source's, sockets are written by the HTTP server's.
//   id: 57
//   event: volume
//   data: {"revision":57,"kind":"volume","name":"t1/v","change":"put","record":{...}}
// Only the last event of a revision has its id: who saw a part of it gets the whole again.
// Lifecycle: listens to the source from construction to destruction; source and clock must outlive it.
// Thread-safe, nothing blocks.
#pragma once

#include "base/clock.h"
#include "http/server.h"
#include "service/events.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::rest {

class EventStreams {
 public:
  static constexpr size_t kMaxListeners = 256;
  // The last revisions that are kept for those who come back: so many, and so many bytes of text.
  static constexpr size_t kMaxKept = 1024;
  static constexpr size_t kMaxKeptBytes = size_t{1} << 20;
  // What may wait for one listener. More: it is too slow, and its connection is closed.
  static constexpr size_t kMaxWaiting = size_t{4} << 20;
  static constexpr Millis kHeartbeat{15'000};

  EventStreams(service::EventSource& source, const Clock& clock);
  ~EventStreams();
  EventStreams(const EventStreams&) = delete;
  EventStreams& operator=(const EventStreams&) = delete;

  // Begins a stream with `begin`: with what came after the revision `after` if that is still known, else with
  // a reset. Errors: unavailable (too many listeners; nothing was begun).
  using Begin = std::function<http::Stream(http::Response head, size_t max_waiting)>;
  Result<> add(std::optional<std::uint64_t> after, const Begin& begin);

  // Call about once a second: a comment for everybody now and then, so that no proxy takes the silence for
  // an end, and listeners that are gone are noticed.
  void tick();

  size_t listeners() const;

 private:
  using Text = http::Stream::Text;
  struct Kept {
    std::uint64_t revision;
    Text text;
  };

  void take(const service::EventBatch& batch);
  void reset(std::uint64_t revision);
  void keep(std::uint64_t revision, Text text);
  void send_to_all(const Text& text);
  bool knows(std::uint64_t revision) const { return known_from_ <= revision && revision <= revision_; }

  service::EventSource& source_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards the rest
  std::vector<http::Stream> listeners_;
  std::deque<Kept> kept_;  // everything after known_from_
  size_t kept_bytes_ = 0;
  std::uint64_t known_from_ = 0;
  std::uint64_t revision_ = 0;  // everything up to here was told
  SteadyTime last_beat_;
};

}  // namespace volplugin::rest
