// SPDX-License-Identifier: Apache-2.0
#include "client/signs_of_life.h"

#include <algorithm>

#include <pthread.h>

namespace volplugin::client {
namespace {

// Answered by every volmaster that runs, also by one that waits for its store (with 503).
constexpr const char* kProbe = "/v1/version";

}  // namespace

SignsOfLife::Call::Call(SignsOfLife& signs, size_t master, const Op& op)
    : signs_(signs),
      master_(master),
      since_(std::chrono::steady_clock::now()),
      forward_(op.stop(), [this] { stop_.request_stop(); }),
      op_(op.clock(), op.remaining(), op.request_id(), op.actor(), stop_.get_token()) {
  const std::lock_guard lock(signs_.mutex_);
  signs_.calls_.insert(this);
  signs_.changed_.notify_one();
}

SignsOfLife::Call::~Call() {
  const std::lock_guard lock(signs_.mutex_);
  signs_.calls_.erase(this);
}

bool SignsOfLife::Call::given_up() const {
  const std::lock_guard lock(signs_.mutex_);
  return given_up_;
}

SignsOfLife::SignsOfLife(const Clients& clients, Patience patience)
    : clients_(clients),
      patience_(patience),
      seen_(clients.size()),
      thread_([this](const std::stop_token& stop) {
        pthread_setname_np(pthread_self(), "master-watch");
        run(stop);
      }) {}

void SignsOfLife::seen(size_t master) {
  const std::lock_guard lock(mutex_);
  seen_[master] = std::chrono::steady_clock::now();
}

std::string SignsOfLife::silence_of(size_t master) const {
  return fmt::format("{} gives no sign of life", clients_[master]->address());
}

Result<> SignsOfLife::check(const Op& op, size_t master) {
  {
    const std::lock_guard lock(mutex_);
    if (std::chrono::steady_clock::now() - seen_[master] < patience_.silence) return {};
  }
  auto answered = probe(op, master);
  if (!answered) TRY(op.check(clients_[master]->address()));
  return answered;
}

// Any answer will do, whatever it says.
Result<> SignsOfLife::probe(const Op& op, size_t master) {
  const Op brief = op.with_timeout(patience_.sign);
  http::ClientRequest request{"GET", kProbe, {}, ""};
  request.headers.emplace_back("Request-Timeout-Ms",
                               std::to_string(std::max(brief.remaining(), Millis(1)).count()));
  const auto answer = clients_[master]->send(brief, request);
  if (answer) {
    seen(master);
    return {};
  }
  Error error = answer.error();
  error.effect = Effect::none;
  if (error.code == Code::deadline_exceeded) error = make_error(Code::unavailable, silence_of(master));
  return error;
}

// When a volmaster has to be asked next: while somebody waits, once it said nothing for long enough.
std::optional<SteadyTime> SignsOfLife::due_locked(size_t master) const {
  std::optional<SteadyTime> first;
  for (const Call* call : calls_)
    if (call->master_ == master && !call->given_up_)
      first = std::min(first.value_or(call->since_), call->since_);
  if (!first) return std::nullopt;
  return std::max(*first, seen_[master]) + patience_.silence;
}

std::optional<size_t> SignsOfLife::next_locked() const {
  std::optional<size_t> next;
  for (size_t master = 0; master < clients_.size(); ++master) {
    const auto due = due_locked(master);
    if (due && (!next || *due < *due_locked(*next))) next = master;
  }
  return next;
}

// Calls that began while it was being asked may have got through.
std::vector<std::stop_source> SignsOfLife::give_up_locked(size_t master, SteadyTime asked) {
  std::vector<std::stop_source> stops;
  for (Call* call : calls_) {
    if (call->master_ != master || call->since_ > asked || call->given_up_) continue;
    call->given_up_ = true;
    stops.push_back(call->stop_);
  }
  return stops;
}

void SignsOfLife::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto next = next_locked();
    if (!next) {
      changed_.wait(lock, stop, [this] { return next_locked().has_value(); });
      continue;
    }
    const size_t master = *next;
    const SteadyTime due = *due_locked(master);
    const SteadyTime now = std::chrono::steady_clock::now();
    if (due > now) {
      // A call that begins meanwhile is not due earlier.
      changed_.wait_until(lock, stop, due, [] { return false; });
      continue;
    }
    lock.unlock();
    const bool alive =
        probe(Op(system_clock(), patience_.sign, make_request_id(), "watch", stop), master).has_value();
    lock.lock();
    if (alive || seen_[master] > now || stop.stop_requested()) continue;
    auto stops = give_up_locked(master, now);
    lock.unlock();
    for (auto& one : stops) one.request_stop();
    lock.lock();
  }
}

}  // namespace volplugin::client
