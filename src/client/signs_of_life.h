// SPDX-License-Identifier: Apache-2.0
// SignsOfLife: which of several volmasters answer. One that hangs (stopped, cut off) takes connections and
// never answers, so silence has to be told from long work: while a call waits for longer than
// Patience::silence, its volmaster is asked for its version, which touches no store; without an answer within
// Patience::sign all calls that wait for it are given up.
// Lifecycle: the clients must outlive it, and it every Call. Thread-safe. One thread ("master-watch"), which
// sleeps unless a call waits.
#pragma once

#include "base/op.h"
#include "http/client.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace volplugin::client {

// How long a volmaster may say nothing while another one could be asked.
struct Patience {
  Millis silence{1'000};  // then it is asked for a sign of life
  Millis sign{1'000};     // which has to come within this
};

class SignsOfLife {
 public:
  // From construction to destruction: somebody waits for the answer of a volmaster.
  class Call {
   public:
    Call(SignsOfLife& signs, size_t master, const Op& op);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // The caller's, which also stops when the call is given up.
    const Op& op() const { return op_; }
    bool given_up() const;

   private:
    friend class SignsOfLife;
    SignsOfLife& signs_;
    const size_t master_;
    const SteadyTime since_;
    bool given_up_ = false;  // guarded by signs_.mutex_
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> forward_;
    const Op op_;
  };

  using Clients = std::vector<std::unique_ptr<http::Client>>;
  SignsOfLife(const Clients& clients, Patience patience);

  // The volmaster answered just now, or did so when asked here. Blocks for Patience::sign at most.
  // Errors (Effect::none): unavailable; cancelled and deadline_exceeded when the Op ended.
  Result<> check(const Op& op, size_t master);
  // It answered a call.
  void seen(size_t master);
  // "10.0.0.5:9005 gives no sign of life"
  std::string silence_of(size_t master) const;

 private:
  void run(const std::stop_token& stop);
  std::optional<SteadyTime> due_locked(size_t master) const;
  std::optional<size_t> next_locked() const;
  std::vector<std::stop_source> give_up_locked(size_t master, SteadyTime asked);
  Result<> probe(const Op& op, size_t master);

  const Clients& clients_;
  const Patience patience_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<SteadyTime> seen_;  // per master: its last answer
  std::set<Call*> calls_;
  std::jthread thread_;  // last: uses the others
};

}  // namespace volplugin::client
