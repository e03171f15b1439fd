// SPDX-License-Identifier: Apache-2.0
#include "kv/leases.h"

#include "kv/rules.h"

namespace volplugin::kv {

Leases::Leases(const Clock& clock, std::function<Result<>(LeaseId)> end)
    : clock_(clock), end_(std::move(end)) {}

Leases::~Leases() {
  stop();
}

void Leases::add(LeaseId lease, Millis ttl) {
  {
    const std::lock_guard lock(mutex_);
    terms_[lease] = {ttl, clock_.now() + ttl};
  }
  std::call_once(started_, [this] {
    looking_ = std::make_unique<Periodic>("kv-lease", kInterval, [this](const std::stop_token&) { step(); });
  });
}

Result<Millis> Leases::renew(LeaseId lease) {
  const std::lock_guard lock(mutex_);
  const auto found = terms_.find(lease);
  const auto now = clock_.now();
  // Once it may be ending there is no way back: its holder must not believe in keys that go away.
  if (found == terms_.end() || found->second.end <= now) return lease_ended(lease);
  found->second.end = now + found->second.ttl;
  return found->second.ttl;
}

void Leases::forget(LeaseId lease) {
  const std::lock_guard lock(mutex_);
  terms_.erase(lease);
}

void Leases::stop() {
  looking_.reset();
}

void Leases::step() {
  for (const LeaseId lease : overdue())
    if (end_(lease)) forget(lease);
}

std::vector<LeaseId> Leases::overdue() {
  const std::lock_guard lock(mutex_);
  std::vector<LeaseId> result;
  for (const auto& [lease, term] : terms_)
    if (term.end <= clock_.now()) result.push_back(lease);
  return result;
}

}  // namespace volplugin::kv
