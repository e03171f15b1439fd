// SPDX-License-Identifier: Apache-2.0
// Op: what every blocking call takes. Says until when, for whom and whether to stop. Deadlines only
// shrink on the way down. Cheap to copy; safe to read from several threads.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <stop_token>
#include <string>

namespace volplugin {

class Op {
 public:
  // An operation that ends `timeout` from now at the latest.
  Op(const Clock& clock, Millis timeout, std::string request_id, std::string actor,
     std::stop_token stop = {});

  // The same operation with a deadline `timeout` from now, or this one's if that is earlier.
  Op with_timeout(Millis timeout) const;
  // The same identity, a fresh deadline and no stop token: for undoing what a dead operation began.
  Op for_cleanup(Millis timeout) const;

  // Errors: cancelled after a stop request, deadline_exceeded after the deadline. `what` is named.
  Result<> check(std::string_view what) const;
  Millis remaining() const;  // never negative
  // Blocks for so long (Clock::pause). False: the Op was stopped or ended before.
  bool sleep(Millis time) const;
  SteadyTime deadline() const { return deadline_; }
  const Clock& clock() const { return *clock_; }
  const std::stop_token& stop() const { return stop_; }
  const std::string& request_id() const { return request_id_; }
  const std::string& actor() const { return actor_; }

 private:
  const Clock* clock_;
  SteadyTime deadline_;
  std::string request_id_;  // joins log lines, records and the caller's own traces
  std::string actor_;       // who asks: "docker", "volcli", "recovery", ...
  std::stop_token stop_;
};

// 16 random hexadecimal digits; for request and operation ids.
std::string make_request_id();

}  // namespace volplugin
