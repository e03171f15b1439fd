// SPDX-License-Identifier: Apache-2.0
#include "sim_store.h"

#include "kv/rules.h"

#include <algorithm>

namespace volplugin::sim {
namespace {

constexpr std::uint64_t kFaultOneIn = 150;

}  // namespace

class SimStore::SimWatch final : public kv::Watch {
 public:
  SimWatch(SimStore& store, std::list<Watcher>::iterator at) : store_(store), at_(at) {}
  ~SimWatch() override { store_.watchers_.erase(at_); }

 private:
  SimStore& store_;
  std::list<Watcher>::iterator at_;
};

std::optional<kv::Entry> SimStore::get(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return kv::Entry{key, found->second.value, found->second.revision};
}

kv::Page SimStore::list(const std::string& prefix, const std::string& after, size_t limit) const {
  kv::Page page{{}, false, revision_};
  const std::string end = kv::end_key(prefix);
  for (auto it = entries_.lower_bound(kv::first_key(prefix, after)); it != entries_.end() && it->first < end;
       ++it) {
    if (page.entries.size() == limit) {
      page.more = true;
      break;
    }
    page.entries.push_back({it->first, it->second.value, it->second.revision});
  }
  return page;
}

Result<kv::Revision> SimStore::commit(const kv::Txn& txn) {
  TRY(kv::check_limits(txn));
  for (const auto& guard : txn.guards) {
    const auto found = entries_.find(kv::key_of(guard));
    TRY(kv::check_guard(guard,
                        found == entries_.end() ? std::nullopt : std::optional(found->second.revision)));
  }
  const auto changes = kv::effective_changes(txn);
  for (const auto* change : changes)
    if (const auto lease = kv::lease_of(*change); lease.value != 0 && !leases_.contains(lease))
      return kv::lease_ended(lease);
  return apply(changes);
}

kv::Revision SimStore::apply(const std::vector<const kv::Change*>& changes) {
  const kv::Revision next{revision_.value + 1};
  const size_t before = events_.size();
  bool changed = false;
  for (const auto* change : changes) changed |= apply(*change, next);
  if (!changed) return revision_;
  revision_ = next;
  if (on_change)
    for (size_t i = before; i < events_.size(); ++i) on_change(events_[i]);
  return next;
}

bool SimStore::apply(const kv::Change& change, kv::Revision revision) {
  if (const auto* put = std::get_if<kv::Put>(&change)) {
    entries_[put->key] = {put->value, revision, put->lease};
    events_.push_back({put->key, put->value, revision});
    return true;
  }
  if (entries_.erase(kv::key_of(change)) == 0) return false;
  events_.push_back({kv::key_of(change), std::nullopt, revision});
  return true;
}

std::unique_ptr<kv::Watch> SimStore::watch(const std::string& prefix, kv::Revision from,
                                           std::function<void(const kv::WatchBatch&)> on_batch) {
  watchers_.push_back({prefix, from, std::move(on_batch)});
  return std::make_unique<SimWatch>(*this, std::prev(watchers_.end()));
}

kv::LeaseId SimStore::grant(Millis ttl) {
  const kv::LeaseId lease{++last_lease_};
  leases_[lease] = {ttl, clock_.now() + ttl};
  return lease;
}

Result<Millis> SimStore::keep_alive(kv::LeaseId lease) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return kv::lease_ended(lease);
  found->second.ends = clock_.now() + found->second.ttl;
  return found->second.ttl;
}

void SimStore::revoke(kv::LeaseId lease) {
  if (leases_.erase(lease) == 0) return;
  std::vector<kv::Change> gone;
  for (const auto& [key, stored] : entries_)
    if (stored.lease == lease) gone.emplace_back(kv::Erase{key});
  std::vector<const kv::Change*> changes;
  for (const auto& change : gone) changes.push_back(&change);
  apply(changes);
}

void SimStore::end_leases(Millis late) {
  std::vector<kv::LeaseId> over;
  for (const auto& [id, lease] : leases_)
    if (lease.ends + late <= clock_.now()) over.push_back(id);
  for (const auto id : over) revoke(id);
}

void SimStore::compact(size_t watch) {
  std::next(watchers_.begin(), static_cast<std::ptrdiff_t>(watch))->compacted = true;
}

bool SimStore::deliver(size_t watch, size_t revisions) {
  auto& watcher = *std::next(watchers_.begin(), static_cast<std::ptrdiff_t>(watch));
  if (watcher.seen == revision_) return false;
  kv::WatchBatch batch{{}, revision_, watcher.compacted};
  if (watcher.compacted) {
    for (const auto& [key, stored] : entries_)
      if (key.starts_with(watcher.prefix)) batch.events.push_back({key, stored.value, stored.revision});
  } else {
    batch.revision = std::min(kv::Revision{watcher.seen.value + revisions}, revision_);
    for (const auto& event : events_)
      if (event.revision > watcher.seen && event.revision <= batch.revision &&
          event.key.starts_with(watcher.prefix))
        batch.events.push_back(event);
  }
  watcher.compacted = false;
  watcher.seen = batch.revision;
  if (batch.snapshot || !batch.events.empty()) watcher.on_batch(batch);
  drop_seen();
  return true;
}

void SimStore::drop_seen() {
  kv::Revision oldest = revision_;
  for (const auto& watcher : watchers_) oldest = std::min(oldest, watcher.seen);
  while (!events_.empty() && events_.front().revision <= oldest) events_.pop_front();
}

template <class Act>
auto StoreAccess::call(const Op& op, Act act) -> decltype(act()) {
  return leave(gate_, process_, "the store", kFaultOneIn, [&]() -> decltype(act()) {
    TRY(op.check("the store"));
    if (store_.away) return make_error(Code::unavailable, "the store is away");
    return act();
  });
}

Result<std::optional<kv::Entry>> StoreAccess::get(const Op& op, const std::string& key) {
  return call(op, [&]() -> Result<std::optional<kv::Entry>> { return store_.get(key); });
}

Result<kv::Page> StoreAccess::list(const Op& op, const std::string& prefix, const std::string& after,
                                   size_t limit) {
  return call(op, [&]() -> Result<kv::Page> { return store_.list(prefix, after, limit); });
}

Result<kv::Revision> StoreAccess::commit(const Op& op, const kv::Txn& txn) {
  // What a volmaster says of itself it says under a lock (control/presence.h).
  int none = 0;
  const bool presence = std::ranges::any_of(
      txn.changes, [](const auto& change) { return kv::key_of(change).starts_with("workers/"); });
  const Counted exclusive(presence ? process_.exclusive : none);
  return call(op, [&] { return store_.commit(txn); });
}

Result<std::unique_ptr<kv::Watch>> StoreAccess::watch(const std::string& prefix, kv::Revision from,
                                                      std::function<void(const kv::WatchBatch&)> on_batch) {
  return store_.watch(prefix, from, std::move(on_batch));
}

Result<kv::Revision> StoreAccess::revision(const Op& op) {
  return call(op, [&]() -> Result<kv::Revision> { return store_.revision(); });
}

Result<kv::LeaseId> StoreAccess::grant(const Op& op, Millis ttl) {
  const Counted exclusive(process_.exclusive);
  return call(op, [&]() -> Result<kv::LeaseId> { return store_.grant(ttl); });
}

Result<Millis> StoreAccess::keep_alive(const Op& op, kv::LeaseId lease) {
  const Counted exclusive(process_.exclusive);
  return call(op, [&] { return store_.keep_alive(lease); });
}

Result<> StoreAccess::revoke(const Op& op, kv::LeaseId lease) {
  return call(op, [&]() -> Result<> {
    store_.revoke(lease);
    return {};
  });
}

}  // namespace volplugin::sim
