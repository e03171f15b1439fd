// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <algorithm>
#include <set>

namespace volplugin::catalog {
namespace {

// etcd looks at every key behind a page to count them: few large pages.
constexpr size_t kLoadPage = kv::Store::kMaxPage;
constexpr size_t kMaxProblems = 100;

}  // namespace

Result<std::unique_ptr<Catalog>> Catalog::open(const Op& op, kv::Store& store) {
  std::unique_ptr<Catalog> catalog(new Catalog(store));
  const kv::Revision loaded = TRY_CTX(catalog->load(op), "loading the records");
  catalog->delivered_ = loaded;
  Catalog* self = catalog.get();
  catalog->watch_ =
      TRY_CTX(store.watch("", loaded, [self](const kv::WatchBatch& batch) { self->take(batch); }),
              "watching the store");
  return catalog;
}

void Catalog::take(const kv::WatchBatch& batch) {
  // After a step back nothing here is newer than the store: it was restored from a backup.
  const bool restored = batch.revision < delivered_;
  if (batch.snapshot) {
    std::set<std::string> keys;
    for (const auto& event : batch.events) keys.insert(event.key);
    each_table([&](auto& table) { table.keep_only(keys, batch.revision.value, restored); });
  }
  for (const auto& event : batch.events) apply(event);
  each_table([&](auto& table) { table.delivered(batch.revision.value); });
  const std::lock_guard lock(delivery_mutex_);
  delivered_ = batch.revision;
  if (observer_) observer_(batch);
}

void Catalog::observe(std::function<void(const kv::WatchBatch&)> observer) {
  const std::lock_guard lock(delivery_mutex_);
  observer_ = std::move(observer);
  if (observer_) observer_({.events = {}, .revision = delivered_, .snapshot = true});
}

Catalog::~Catalog() {
  watch_.reset();
}

// Pages may be of different revisions; the watch starts at the first one's, so nothing is missed.
Result<kv::Revision> Catalog::load(const Op& op) {
  const kv::Revision start = TRY(store_.revision(op));
  std::string after;
  for (bool more = true; more;) {
    const kv::Page page = TRY(store_.list(op, "", after, kLoadPage));
    for (const auto& entry : page.entries) apply({entry.key, entry.value, entry.revision});
    if (!page.entries.empty()) after = page.entries.back().key;
    more = page.more;
  }
  return start;
}

void Catalog::note_problem(const std::string& key, const Error& error) {
  const std::lock_guard lock(problems_mutex_);
  if (problems_.size() < kMaxProblems)
    problems_.push_back(fmt::format("record '{}': {}", key, error.message));
}

void Catalog::apply(const kv::Event& event) {
  apply_to(tenants, event) || apply_to(volumes, event) || apply_to(mounts, event) || apply_to(nodes, event) ||
      apply_to(sessions, event) || apply_to(workers, event);
}

Result<std::uint64_t> Catalog::commit(const Op& op, Edit edit) {
  const kv::Revision revision = TRY(store_.commit(op, edit.txn_));
  for (const auto& apply_one : edit.apply_) apply_one(revision.value);
  return revision.value;
}

std::uint64_t Catalog::revision() const {
  // Every table learns each delivered revision; own commits are known to the table they changed.
  std::uint64_t highest = 0;
  const auto look = [&](const auto& table) {
    const std::shared_lock lock(table.mutex_);
    highest = std::max(highest, table.revision_);
  };
  each_table(look);
  return highest;
}

Result<> Catalog::keep_alive(const Op& op, kv::LeaseId lease) {
  TRY(store_.keep_alive(op, lease));
  return {};
}

Result<std::uint64_t> Catalog::store_revision(const Op& op) {
  return TRY(store_.revision(op)).value;
}

std::vector<std::string> Catalog::problems() const {
  const std::lock_guard lock(problems_mutex_);
  return problems_;
}

}  // namespace volplugin::catalog
