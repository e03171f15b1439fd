// SPDX-License-Identifier: Apache-2.0
// Api: the REST API over a Volmaster. Finds the route, says who asks and until when (Op), and answers.
// Ownership: `master`, `events` and `clock` must outlive it, and it must outlive the http::Server that calls
// it. Threads: handle() from any. Calls that wait for storage run on up to kStorageThreads threads of its
// own, so that however many of them hang, nodes and readers are still served by the HTTP server's threads.
#pragma once

#include "base/clock.h"
#include "http/handler_pool.h"
#include "http/router.h"
#include "http/server.h"
#include "rest/event_streams.h"
#include "rest/routes.h"
#include "service/volmaster.h"

#include <string>

namespace volplugin::rest {

class Api {
 public:
  static constexpr unsigned kStorageThreads = 64;
  static constexpr size_t kStorageQueue = 256;  // more waiting calls are answered 503

  Api(service::Volmaster& master, service::EventSource& events, const Clock& clock, std::string version);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // Answers exactly once, possibly after it returned.
  void handle(http::Request request, http::Reply reply);
  // Call about once a second.
  void tick() { events_.tick(); }

 private:
  struct Work;
  Result<> start(http::Request request, const Respond& respond);

  service::Volmaster& master_;
  const Clock& clock_;
  const std::string version_;
  const http::Router<const RouteInfo*> router_;
  EventStreams events_;
  http::HandlerPool storage_calls_;  // last: its threads use the rest
};

}  // namespace volplugin::rest
