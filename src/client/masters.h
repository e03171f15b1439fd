// SPDX-License-Identifier: Apache-2.0
// Masters: volmasters that serve the same records, of which any may be asked. The one that answered last is
// asked first; the next one when it refuses connections, breaks off, hangs, says that it cannot serve
// (unavailable, cancelled), or does not answer as a volmaster (corrupt). A change is made twice only if that
// is the same as once: see Kind.
//
//   a read:    sent -> no answer for a while, no sign of life -> sent to the next
//   a change:  answered within the last second, or gives a sign of life? no -> the next
//              sent -> lost before one byte of it was sent -> the next
//              sent -> lost, effect unknown -> repeatable: the next; once: Effect::unknown
//
// With one volmaster there is nowhere to go: it is waited for until the Op ends, and there is no thread.
// Thread-safe; calls block at most until their Op ends.
#pragma once

#include "client/signs_of_life.h"

#include <atomic>
#include <string>

namespace volplugin::client {

class Masters {
 public:
  enum class Kind {
    read,
    repeatable,  // a change that has the same effect when it is made twice
    once,        // any other change
  };
  static constexpr size_t kMost = 16;

  // `addresses`: "host:port" or "unix:///path", in the order of preference; does not connect. Errors:
  // invalid_argument (no address, a bad one, more than kMost).
  static Result<std::unique_ptr<Masters>> open(const std::vector<std::string>& addresses,
                                               Patience patience = {});

  // One exchange with one volmaster; called again for the next one.
  using Attempt = std::function<Result<>(const Op& op, http::Client& master)>;
  // The first answer: success, or an error of the request itself, with Effect::unknown if an attempt before
  // may have had an effect. Else unavailable that names every volmaster asked and what came of it. With one
  // volmaster: what the attempt returned.
  Result<> ask(const Op& op, Kind kind, const Attempt& attempt);

  size_t count() const { return clients_.size(); }

 private:
  Masters(SignsOfLife::Clients clients, Patience patience);
  Result<> ask_one(const Op& op, Kind kind, size_t which, const Attempt& attempt);

  const SignsOfLife::Clients clients_;
  std::atomic<size_t> preferred_ = 0;
  std::unique_ptr<SignsOfLife> signs_;  // with several; last: uses the clients
};

}  // namespace volplugin::client
