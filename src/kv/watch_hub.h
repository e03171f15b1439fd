// SPDX-License-Identifier: Apache-2.0
// WatchHub: the watches of one store and the thread that serves them.
// Ownership: the store owns the hub; a Watch shares the hub's inner state, so it may outlive both.
// Threads: one, "kv-watch", from construction to stop(); it reads the history and runs the callbacks
// with no lock held. Every function may be called from any thread, stop() not from a callback.
// A watch: registered -> (waiting <-> callback running)* -> closed, by its destructor or by stop().
#pragma once

#include "kv/history.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace volplugin::kv {

class WatchHub {
 public:
  // `current` and `compacted` are those of the store now; history holds all events after `compacted`.
  WatchHub(History& history, Revision current, Revision compacted);
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  // Errors: invalid_argument when events after `from` have been compacted.
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from,
                                       std::function<void(const WatchBatch&)> on_batch);

  // There is history up to `revision` now. Out of order calls are fine.
  void publish(Revision revision);

  // How far history may be forgotten, at most `wanted`: not before a watcher has seen it. From now on
  // watches from before the returned revision are refused.
  Revision compact(Revision wanted);

  // Ends all watches: returns when no callback runs and destroys the callbacks. Idempotent.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::jthread thread_;
};

}  // namespace volplugin::kv
