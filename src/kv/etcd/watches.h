// SPDX-License-Identifier: Apache-2.0
// Watches: those of one EtcdStore, on one stream to one member.
// A watch is told where it stands by the last event that was delivered, so a new stream, to whichever
// member, goes on right behind it. When etcd does not have that history any more, the watch gets all
// entries instead (WatchBatch::snapshot).
//
// The stream is given up when it breaks, and when the member does not answer on it for kSilence after
// having been asked for a sign of life: at once when this store knows of a change that was not delivered,
// else every kQuiet.
// Ownership: the store owns it; a Watch shares its inner state, so it may outlive both.
// Threads: one, "kv-watch", from construction to stop(); it runs the callbacks with no lock held. Every
// function may be called from any thread, stop() not from a callback.
#pragma once

#include "kv/etcd/ranges.h"

#include <memory>
#include <string>
#include <thread>

namespace volplugin::kv {

class Watches {
 public:
  static constexpr Millis kTick{500};
  static constexpr Millis kSilence{2'000};
  static constexpr Millis kQuiet{5'000};

  // Both must outlive this object.
  Watches(Client& client, Ranges& ranges);
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // `from` has been checked. Does not block.
  std::unique_ptr<Watch> watch(const std::string& prefix, Revision from,
                               std::function<void(const WatchBatch&)> on_batch);
  // The store has got to `revision`. Out of order calls are fine.
  void note(Revision revision);
  // Ends all watches: returns when no callback runs and destroys the callbacks. Idempotent.
  void stop();

 private:
  struct Watcher;
  struct Shared;
  class Handle;
  class Feed;

  std::shared_ptr<Shared> shared_;
  std::jthread thread_;
};

}  // namespace volplugin::kv
