// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

#include <pthread.h>

namespace volplugin::catalog {
namespace {

constexpr size_t kMaxProblems = 100;
constexpr unsigned int kMaxReaders = 4;  // while loading: to decode a record takes longer than to read it

}  // namespace

// The watch comes first: what it needs of the store's history may be gone when all is loaded.
Result<std::unique_ptr<Catalog>> Catalog::open(const Op& op, kv::Store& store, const Progress& progress) {
  std::unique_ptr<Catalog> catalog(new Catalog(store));
  catalog->delivered_ = TRY_CTX(store.revision(op), "loading the records");
  Catalog* self = catalog.get();
  catalog->watch_ = TRY_CTX(
      store.watch("", catalog->delivered_, [self](const kv::WatchBatch& batch) { self->take(batch); }),
      "watching the store");
  TRY_CTX(catalog->load(op, progress), "loading the records");
  return catalog;
}

// Several threads take one page after the other from a scan.
class Catalog::Loading {
 public:
  Loading(Catalog& catalog, const Op& op, const Progress& progress)
      : catalog_(catalog), op_(op), progress_(progress), scan_(catalog.store_.scan("")) {}

  Result<> run() {
    if (!step()) return result_;  // the only page, usually
    std::vector<std::jthread> readers;
    const unsigned int threads = std::min(std::thread::hardware_concurrency(), kMaxReaders);
    for (unsigned int i = 1; i < threads; ++i)
      readers.emplace_back([this] {
        pthread_setname_np(pthread_self(), "catalog-load");
        while (step()) continue;
      });
    while (step()) continue;
    readers.clear();
    return result_;
  }

 private:
  // False: this was the last page.
  bool step() {
    const auto page = read();
    if (!page) return false;
    const bool wanted = catalog_.take_loaded(*page);
    const std::lock_guard lock(mutex_);
    if (!wanted) more_ = false;
    loaded_ += page->entries.size();
    if (progress_) progress_(loaded_);
    return more_;
  }

  std::optional<kv::Page> read() {
    const std::lock_guard one(scan_mutex_);
    {
      const std::lock_guard lock(mutex_);
      if (!more_ || !catalog_.loading_) return std::nullopt;
    }
    auto page = scan_->next(op_.with_timeout(kPageTimeout));
    const std::lock_guard lock(mutex_);
    if (!page && catalog_.loading_) result_ = page.error();
    more_ = more_ && page && page->more;
    return page ? std::optional(std::move(*page)) : std::nullopt;
  }

  Catalog& catalog_;
  const Op& op_;
  const Progress& progress_;
  std::mutex scan_mutex_;  // held while a page is read: one at a time
  const std::unique_ptr<kv::Scan> scan_;
  std::mutex mutex_;  // of all below
  bool more_ = true;
  size_t loaded_ = 0;
  Result<> result_;
};

// Pages are of the revision at which the watch begins, or later ones; for each record the latest counts, and
// tables remember what was erased until finish_loading().
Result<> Catalog::load(const Op& op, const Progress& progress) {
  TRY(Loading(*this, op, progress).run());
  finish_loading();
  return {};
}

// False: nothing more is needed.
bool Catalog::take_loaded(const kv::Page& page) {
  const std::shared_lock lock(loading_mutex_);
  if (!loading_) return false;
  for (const auto& entry : page.entries) apply({entry.key, entry.value, entry.revision});
  return true;
}

void Catalog::finish_loading() {
  const std::lock_guard lock(delivery_mutex_);
  loading_ = false;
  each_table([&](auto& table) { table.delivered(delivered_.value); });
}

void Catalog::take(const kv::WatchBatch& batch) {
  const std::lock_guard lock(delivery_mutex_);
  // After a step back nothing here is newer than the store: it was restored from a backup.
  const bool restored = batch.revision < delivered_;
  if (batch.snapshot) {
    std::set<std::string> keys;
    for (const auto& event : batch.events) keys.insert(event.key);
    const std::unique_lock no_page(loading_mutex_);
    each_table([&](auto& table) { table.keep_only(keys, batch.revision.value, restored); });
    loading_ = false;  // these are all records, and what is still being read may be older
  }
  for (const auto& event : batch.events) apply(event);
  delivered_ = batch.revision;
  if (loading_) return;
  each_table([&](auto& table) { table.delivered(batch.revision.value); });
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

void Catalog::note_problem(const std::string& key, const Error& error) {
  const std::lock_guard lock(problems_mutex_);
  if (problems_.size() < kMaxProblems)
    problems_.push_back(fmt::format("record '{}': {}", key, error.message));
}

void Catalog::apply(const kv::Event& event) {
  apply_to(tenants, event) || apply_to(volumes, event) || apply_to(mounts, event) ||
      apply_to(snapshots, event) || apply_to(nodes, event) || apply_to(sessions, event) ||
      apply_to(workers, event);
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
