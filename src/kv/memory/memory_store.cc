// SPDX-License-Identifier: Apache-2.0
#include "kv/memory/memory_store.h"

#include "kv/rules.h"

#include <algorithm>

namespace volplugin::kv {

MemoryStore::MemoryStore(HistoryPolicy policy, const Clock& clock)
    : policy_(policy),
      hub_(*this, {}, {}),
      leases_(clock, [this](LeaseId lease) { return end_lease(lease); }) {}

MemoryStore::~MemoryStore() {
  leases_.stop();
  hub_.stop();
}

Result<std::optional<Entry>> MemoryStore::get(const Op& op, const std::string& key) {
  TRY(op.check("reading a key"));
  TRY(check_key(key));
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) return std::optional<Entry>();
  return std::optional<Entry>({key, it->second.value, it->second.revision});
}

Result<Page> MemoryStore::list(const Op& op, const std::string& prefix, const std::string& after,
                               size_t limit) {
  TRY(op.check("listing keys"));
  TRY(check_page_limit(limit));
  const std::string first = first_key(prefix, after), end = end_key(prefix);
  const std::lock_guard lock(mutex_);
  Page page{{}, false, revision_};
  size_t bytes = 0;
  for (auto it = entries_.lower_bound(first); it != entries_.end() && it->first < end; ++it) {
    if (page.entries.size() == limit || bytes >= kMaxPageBytes) {
      page.more = true;
      break;
    }
    bytes += it->first.size() + it->second.value.size();
    page.entries.push_back({it->first, it->second.value, it->second.revision});
  }
  return page;
}

Result<Revision> MemoryStore::commit(const Op& op, const Txn& txn) {
  TRY(check_limits(txn));
  TRY(op.check("committing"));
  const std::lock_guard lock(mutex_);
  TRY(check_guards(txn));
  TRY(check_leases(txn));
  return apply(effective_changes(txn));
}

Revision MemoryStore::apply(const std::vector<const Change*>& changes) {
  const Revision next{revision_.value + 1};
  bool changed = false;
  for (const Change* change : changes) changed |= apply(*change, next);
  if (!changed) return revision_;
  revision_ = next;
  compact();
  hub_.publish(next);
  return next;
}

Result<> MemoryStore::check_guards(const Txn& txn) const {
  for (const Guard& guard : txn.guards) {
    const auto it = entries_.find(key_of(guard));
    TRY(check_guard(guard, it == entries_.end() ? std::nullopt : std::optional(it->second.revision)));
  }
  return {};
}

Result<> MemoryStore::check_leases(const Txn& txn) const {
  for (const Change* change : effective_changes(txn))
    if (const LeaseId lease = lease_of(*change); lease.value != 0 && !granted_.contains(lease))
      return lease_ended(lease);
  return {};
}

bool MemoryStore::apply(const Change& change, Revision revision) {
  if (const auto* put = std::get_if<Put>(&change)) {
    entries_[put->key] = {put->value, revision, put->lease};
    events_.push_back({put->key, put->value, revision});
    return true;
  }
  if (entries_.erase(key_of(change)) == 0) return false;
  events_.push_back({key_of(change), std::nullopt, revision});
  return true;
}

void MemoryStore::compact() {
  if (revision_.value <= compacted_.value + policy_.keep + policy_.step) return;
  compacted_ = std::max(compacted_, hub_.compact(Revision{revision_.value - policy_.keep}));
  while (!events_.empty() && events_.front().revision <= compacted_) events_.pop_front();
}

Result<std::unique_ptr<Watch>> MemoryStore::watch(const std::string& prefix, Revision from,
                                                  std::function<void(const WatchBatch&)> on_batch) {
  {
    const std::lock_guard lock(mutex_);
    TRY(check_watch_start(from, revision_));
  }
  return hub_.watch(prefix, from, std::move(on_batch));
}

Result<Revision> MemoryStore::revision(const Op& op) {
  TRY(op.check("reading the revision"));
  const std::lock_guard lock(mutex_);
  return revision_;
}

Result<LeaseId> MemoryStore::grant(const Op& op, Millis ttl) {
  ttl = TRY(check_ttl(ttl));
  TRY(op.check("granting a lease"));
  const std::lock_guard lock(mutex_);
  const LeaseId lease{++last_lease_};
  granted_.insert(lease);
  leases_.add(lease, ttl);
  return lease;
}

Result<Millis> MemoryStore::keep_alive(const Op& op, LeaseId lease) {
  TRY(op.check("keeping a lease alive"));
  return leases_.renew(lease);
}

Result<> MemoryStore::revoke(const Op& op, LeaseId lease) {
  TRY(op.check("revoking a lease"));
  leases_.forget(lease);
  return end_lease(lease);
}

Result<> MemoryStore::end_lease(LeaseId lease) {
  const std::lock_guard lock(mutex_);
  if (granted_.erase(lease) == 0) return {};
  std::vector<Change> gone;
  for (const auto& [key, stored] : entries_)
    if (stored.lease == lease) gone.emplace_back(Erase{key});
  std::vector<const Change*> changes;
  changes.reserve(gone.size());
  for (const Change& change : gone) changes.push_back(&change);
  apply(changes);
  return {};
}

Result<WatchBatch> MemoryStore::read(Revision after) {
  const std::lock_guard lock(mutex_);
  WatchBatch batch{{}, revision_};
  size_t bytes = 0;
  const auto is_later = [](Revision revision, const Event& event) { return revision < event.revision; };
  for (auto it = std::upper_bound(events_.begin(), events_.end(), after, is_later); it != events_.end();
       ++it) {
    if ((batch.events.size() >= kMaxEvents || bytes >= kMaxBytes) &&
        it->revision != batch.events.back().revision) {
      batch.revision = batch.events.back().revision;
      break;
    }
    bytes += it->key.size() + (it->value ? it->value->size() : 0);
    batch.events.push_back(*it);
  }
  return batch;
}

}  // namespace volplugin::kv
