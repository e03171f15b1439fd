// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/watches.h"

#include "base/check.h"
#include "kv/etcd/watch_stream.h"
#include "kv/rules.h"
#include "kv/subscription.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <vector>

#include <pthread.h>

namespace volplugin::kv {
namespace {

constexpr Millis kReconnect{200};     // after a stream broke
constexpr Millis kSnapshot{600'000};  // the most that reading one takes; each request has a limit of its own
constexpr Millis kIdle{3'600'000};    // nothing to look after: only poke() wakes

Event event_of(etcdserverpb::Event& event, const std::string& root) {
  auto& kv = *event.mutable_kv();
  Event result{kv.key().substr(root.size()), std::nullopt, Revision{std::uint64_t(kv.mod_revision())}};
  if (event.type() == etcdserverpb::Event::PUT) result.value = std::move(*kv.mutable_value());
  return result;
}

}  // namespace

struct Watches::Watcher {
  Watcher(std::string under, Revision from, std::function<void(const WatchBatch&)> on_batch)
      : prefix(std::move(under)), seen(from), subscription(std::move(on_batch)) {}

  const std::string prefix;
  // Of the thread only:
  Revision seen;               // everything up to here was delivered or is of no interest
  std::int64_t id = 0;         // on the present stream; 0: not there
  bool lost = false;           // the history after `seen` is gone
  std::vector<Event> partial;  // of a revision whose events have not all come

  Subscription subscription;
};

struct Watches::Shared {
  std::mutex mutex;  // of all below
  std::condition_variable_any changed;
  bool poked = false;  // there is something to do
  std::vector<std::shared_ptr<Watcher>> watchers;
  Revision known;  // of the store

  void poke() {
    const std::lock_guard lock(mutex);
    poked = true;
    changed.notify_one();
  }
};

class Watches::Handle final : public Watch {
 public:
  Handle(std::shared_ptr<Shared> shared, std::shared_ptr<Watcher> watcher)
      : shared_(std::move(shared)), watcher_(std::move(watcher)) {}
  ~Handle() override {
    {
      const std::lock_guard lock(shared_->mutex);
      if (std::erase(shared_->watchers, watcher_) > 0) shared_->poked = true;
      shared_->changed.notify_one();
    }
    watcher_->subscription.close();
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Watcher> watcher_;
};

// What the thread does. Everything here is its own.
class Watches::Feed {
 public:
  Feed(Shared& shared, Client& client, Ranges& ranges, std::stop_token stop)
      : shared_(shared), client_(client), ranges_(ranges), stop_(std::move(stop)) {}

  void run() {
    while (wait()) step();
  }

 private:
  bool wait();
  void step();
  bool connect();
  void give_up_stream();
  void restore(Watcher& watcher);
  void create(const std::shared_ptr<Watcher>& watcher);
  void cancel(std::int64_t id);
  void handle(etcdserverpb::WatchResponse& answer);
  void take_events(Watcher& watcher, etcdserverpb::WatchResponse& answer);
  void deliver(Watcher& watcher, const WatchBatch& batch);
  void check_alive();
  void ask(etcdserverpb::WatchRequest request);
  SteadyTime now() const { return client_.clock().now(); }
  Op op() const { return Op(client_.clock(), kSnapshot, "watch", "kv", stop_); }

  Shared& shared_;
  Client& client_;
  Ranges& ranges_;
  const std::stop_token stop_;

  std::vector<std::shared_ptr<Watcher>> open_;  // as of this step
  Revision known_;                              // the same
  std::map<std::int64_t, std::shared_ptr<Watcher>> on_stream_;
  std::int64_t last_id_ = 0;
  Member* member_ = nullptr;  // of stream_
  std::unique_ptr<WatchStream> stream_;
  SteadyTime connect_at_{};             // not before
  SteadyTime heard_at_{};               // the member's last answer
  std::optional<SteadyTime> asked_at_;  // the first question it has not answered
  Revision heard_;                      // the highest revision it told
  bool broken_ = false;                 // etcd ended a watch for a reason that concerns them all
};

bool Watches::Feed::wait() {
  std::unique_lock lock(shared_.mutex);
  Millis longest = stream_ && !open_.empty() ? kTick : kIdle;
  if (!stream_ && !open_.empty()) longest = kReconnect;
  shared_.changed.wait_for(lock, stop_, longest, [&] { return shared_.poked; });
  shared_.poked = false;
  open_ = shared_.watchers;
  known_ = shared_.known;
  return !stop_.stop_requested();
}

void Watches::Feed::step() {
  if (!stream_ && (open_.empty() || now() < connect_at_ || !connect())) return;
  std::vector<std::int64_t> closed;
  for (const auto& [id, watcher] : on_stream_)
    if (std::ranges::find(open_, watcher) == open_.end()) closed.push_back(id);
  for (const std::int64_t id : closed) cancel(id);
  for (const auto& watcher : open_) {
    if (watcher->lost) restore(*watcher);
    if (watcher->id == 0 && !watcher->lost) create(watcher);
  }
  while (auto answer = stream_->take()) {
    if (stop_.stop_requested()) return;
    handle(*answer);
  }
  check_alive();
  if (broken_ || stream_->broken()) give_up_stream();
}

bool Watches::Feed::connect() {
  auto stream = std::make_unique<WatchStream>([this] { shared_.poke(); });
  member_ = &client_.preferred();
  if (!member_->reach(Client::kTry) ||
      !client_.prepare(op().with_timeout(Client::kTry), *member_, stream->context()).ok()) {
    client_.avoid(*member_);
    connect_at_ = now() + kReconnect;
    return false;
  }
  stream_ = std::move(stream);
  stream_->start(*member_->watch);
  heard_at_ = now();
  asked_at_.reset();
  heard_ = {};
  broken_ = false;
  return true;
}

void Watches::Feed::give_up_stream() {
  const grpc::Status status = stream_->finish();
  stream_.reset();
  // A token that was not taken is told in the answer to the watch, not by the status.
  if (broken_ || is_about_token(status)) client_.forget_token();
  client_.avoid(*member_);
  connect_at_ = now() + kReconnect;
  for (const auto& [id, watcher] : on_stream_) {
    watcher->id = 0;
    watcher->partial.clear();
  }
  on_stream_.clear();
}

void Watches::Feed::create(const std::shared_ptr<Watcher>& watcher) {
  watcher->id = ++last_id_;
  on_stream_[watcher->id] = watcher;
  const std::string first = ranges_.root() + watcher->prefix;
  etcdserverpb::WatchRequest request;
  auto& wanted = *request.mutable_create_request();
  wanted.set_key(first);
  wanted.set_range_end(end_key(first));
  wanted.set_start_revision(std::int64_t(watcher->seen.value + 1));
  wanted.set_watch_id(watcher->id);
  wanted.set_fragment(true);
  wanted.set_progress_notify(true);
  ask(std::move(request));
}

void Watches::Feed::cancel(std::int64_t id) {
  on_stream_.erase(id);
  etcdserverpb::WatchRequest request;
  request.mutable_cancel_request()->set_watch_id(id);
  ask(std::move(request));
}

void Watches::Feed::ask(etcdserverpb::WatchRequest request) {
  if (!asked_at_) asked_at_ = now();
  stream_->send(std::move(request));
}

void Watches::Feed::check_alive() {
  if (asked_at_) {
    if (now() - *asked_at_ > kSilence) broken_ = true;
    return;
  }
  const Millis patience = known_ > heard_ ? kTick : kQuiet;
  if (on_stream_.empty() || now() - heard_at_ < patience) return;
  etcdserverpb::WatchRequest request;
  request.mutable_progress_request();
  ask(std::move(request));
}

void Watches::Feed::handle(etcdserverpb::WatchResponse& answer) {
  heard_at_ = now();
  asked_at_.reset();
  heard_ = std::max(heard_, revision_of(answer.header()));
  member_->answered = heard_at_;
  const auto found = on_stream_.find(answer.watch_id());
  if (found == on_stream_.end()) return;  // a sign of life, or ended meanwhile
  const std::shared_ptr<Watcher> watcher = found->second;
  const bool behind = answer.created() && revision_of(answer.header()) < watcher->seen;  // a backup
  if (behind && !answer.canceled()) cancel(watcher->id);
  if (behind || answer.canceled()) {
    on_stream_.erase(answer.watch_id());
    watcher->id = 0;
    watcher->partial.clear();
    watcher->lost = behind || answer.compact_revision() > 0;
    if (!watcher->lost) broken_ = true;
    shared_.poke();
    return;
  }
  take_events(*watcher, answer);
}

void Watches::Feed::take_events(Watcher& watcher, etcdserverpb::WatchResponse& answer) {
  for (auto& event : *answer.mutable_events()) watcher.partial.push_back(event_of(event, ranges_.root()));
  WatchBatch batch;
  batch.events.swap(watcher.partial);
  if (batch.events.empty()) {
    // etcd's own progress notice: all up to here was sent.
    if (!answer.created()) watcher.seen = std::max(watcher.seen, revision_of(answer.header()));
    return;
  }
  batch.revision = batch.events.back().revision;
  if (answer.fragment()) {
    // More of the last revision may come: it waits until it is whole.
    const auto whole = std::ranges::find(batch.events, batch.revision, &Event::revision);
    watcher.partial.assign(std::make_move_iterator(whole), std::make_move_iterator(batch.events.end()));
    batch.events.erase(whole, batch.events.end());
    if (batch.events.empty()) return;
    batch.revision = batch.events.back().revision;
  }
  deliver(watcher, batch);
}

void Watches::Feed::deliver(Watcher& watcher, const WatchBatch& batch) {
  if (stop_.stop_requested()) return;
  watcher.subscription.deliver(batch);
  watcher.seen = batch.revision;
}

void Watches::Feed::restore(Watcher& watcher) {
  auto page = ranges_.snapshot(op(), watcher.prefix);
  if (!page) return;  // the next step tries again
  WatchBatch batch{{}, page->revision, true};
  batch.events.reserve(page->entries.size());
  for (Entry& entry : page->entries)
    batch.events.push_back({std::move(entry.key), std::move(entry.value), entry.revision});
  watcher.lost = false;
  deliver(watcher, batch);
}

Watches::Watches(Client& client, Ranges& ranges) : shared_(std::make_shared<Shared>()) {
  thread_ = std::jthread([shared = shared_.get(), &client, &ranges](const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), "kv-watch");
    Feed(*shared, client, ranges, stop).run();
  });
}

Watches::~Watches() {
  stop();
}

std::unique_ptr<Watch> Watches::watch(const std::string& prefix, Revision from,
                                      std::function<void(const WatchBatch&)> on_batch) {
  auto watcher = std::make_shared<Watcher>(prefix, from, std::move(on_batch));
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->watchers.push_back(watcher);
    shared_->poked = true;
    shared_->changed.notify_one();
  }
  return std::make_unique<Handle>(shared_, std::move(watcher));
}

void Watches::note(Revision revision) {
  const std::lock_guard lock(shared_->mutex);
  shared_->known = std::max(shared_->known, revision);
}

void Watches::stop() {
  if (!thread_.joinable()) return;
  CHECK(std::this_thread::get_id() != thread_.get_id());  // a callback must not destroy its store
  thread_.request_stop();
  thread_.join();
  std::vector<std::shared_ptr<Watcher>> ended;
  {
    const std::lock_guard lock(shared_->mutex);
    ended.swap(shared_->watchers);
  }
  for (const auto& watcher : ended) watcher->subscription.close();
}

}  // namespace volplugin::kv
