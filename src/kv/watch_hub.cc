// SPDX-License-Identifier: Apache-2.0
#include "kv/watch_hub.h"

#include "base/check.h"
#include "kv/subscription.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include <pthread.h>

namespace volplugin::kv {
namespace {

constexpr Millis kRetryHistory{500};  // after a failed read of the history

struct Watcher {
  explicit Watcher(std::function<void(const WatchBatch&)> on_batch) : subscription(std::move(on_batch)) {}

  std::string prefix;
  Revision seen;  // everything up to here was delivered or is of no interest; guarded by State::mutex
  Subscription subscription;
};

using Watchers = std::vector<std::shared_ptr<Watcher>>;

}  // namespace

struct WatchHub::State {
  // What watch() gives out.
  class Handle final : public Watch {
   public:
    Handle(std::shared_ptr<State> state, std::shared_ptr<Watcher> watcher)
        : state_(std::move(state)), watcher_(std::move(watcher)) {}
    ~Handle() override { state_->close(watcher_); }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

   private:
    std::shared_ptr<State> state_;
    std::shared_ptr<Watcher> watcher_;
  };

  explicit State(History& source) : history(source) {}

  // The watchers furthest behind, if they are behind the store. They are served together from one
  // read; usually that is all of them.
  Watchers laggards() const {
    Watchers result;
    for (const auto& watcher : watchers) {
      if (watcher->seen >= published || (!result.empty() && watcher->seen > result.front()->seen)) continue;
      if (!result.empty() && watcher->seen < result.front()->seen) result.clear();
      result.push_back(watcher);
    }
    return result;
  }

  void run(const std::stop_token& stop);
  void deliver(Watcher& watcher, const WatchBatch& batch);
  void close(const std::shared_ptr<Watcher>& watcher);

  History& history;
  std::mutex mutex;
  std::condition_variable_any changed;  // of `watchers` or `published`
  Watchers watchers;                    // open ones
  Revision published;
  Revision compacted;
};

void WatchHub::State::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  while (true) {
    Watchers group;
    changed.wait(lock, stop, [&] { return !(group = laggards()).empty(); });
    if (stop.stop_requested()) return;
    const Revision after = group.front()->seen;
    lock.unlock();
    const Result<WatchBatch> batch = history.read(after);
    if (batch)
      for (const auto& watcher : group)
        if (!stop.stop_requested()) deliver(*watcher, *batch);
    // Ended watches go before the lock is taken: their destructors may run here.
    group.clear();
    lock.lock();
    // There is nobody to tell; commits and reads meet the same disk and report it.
    if (!batch) changed.wait_for(lock, stop, kRetryHistory, [] { return false; });
  }
}

void WatchHub::State::deliver(Watcher& watcher, const WatchBatch& batch) {
  WatchBatch part{{}, batch.revision};
  for (const Event& event : batch.events)
    if (event.key.starts_with(watcher.prefix)) part.events.push_back(event);
  if (!part.events.empty()) watcher.subscription.deliver(part);
  const std::lock_guard lock(mutex);
  watcher.seen = batch.revision;
}

void WatchHub::State::close(const std::shared_ptr<Watcher>& watcher) {
  {
    const std::lock_guard lock(mutex);
    std::erase(watchers, watcher);
  }
  watcher->subscription.close();
}

WatchHub::WatchHub(History& history, Revision current, Revision compacted)
    : state_(std::make_shared<State>(history)) {
  state_->published = current;
  state_->compacted = compacted;
  thread_ = std::jthread([state = state_.get()](const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), "kv-watch");
    state->run(stop);
  });
}

WatchHub::~WatchHub() {
  stop();
}

Result<std::unique_ptr<Watch>> WatchHub::watch(const std::string& prefix, Revision from,
                                               std::function<void(const WatchBatch&)> on_batch) {
  auto watcher = std::make_shared<Watcher>(std::move(on_batch));
  watcher->prefix = prefix;
  watcher->seen = from;
  {
    const std::lock_guard lock(state_->mutex);
    if (from < state_->compacted)
      return make_error(
          Code::invalid_argument,
          fmt::format("the history after revision {} is compacted up to {}: list again and watch from "
                      "the listed revision",
                      from.value, state_->compacted.value));
    state_->watchers.push_back(watcher);
    state_->changed.notify_one();
  }
  return std::make_unique<State::Handle>(state_, std::move(watcher));
}

void WatchHub::publish(Revision revision) {
  const std::lock_guard lock(state_->mutex);
  if (revision <= state_->published) return;
  state_->published = revision;
  if (!state_->watchers.empty()) state_->changed.notify_one();
}

Revision WatchHub::compact(Revision wanted) {
  const std::lock_guard lock(state_->mutex);
  Revision floor = wanted;
  for (const auto& watcher : state_->watchers) floor = std::min(floor, watcher->seen);
  state_->compacted = std::max(state_->compacted, floor);
  return floor;
}

void WatchHub::stop() {
  if (!thread_.joinable()) return;
  CHECK(std::this_thread::get_id() != thread_.get_id());  // a callback must not destroy its store
  thread_.request_stop();
  thread_.join();
  Watchers ended;
  {
    const std::lock_guard lock(state_->mutex);
    ended.swap(state_->watchers);
  }
  for (const auto& watcher : ended) watcher->subscription.close();
}

}  // namespace volplugin::kv
