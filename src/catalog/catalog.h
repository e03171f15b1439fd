// SPDX-License-Identifier: Apache-2.0
// Catalog: the typed records of the control plane over a Store. Reads come from a cache that the
// store's watch feeds (INV-9); writes are compare-and-swap transactions, durable when they return, and
// visible to this process's reads at once.
// Lifecycle: open() loads everything; the Store must outlive it. Thread-safe.
#pragma once

#include "catalog/table.h"
#include "kv/store.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace volplugin::catalog {

// One transaction under construction: guards, then changes.
class Edit {
 public:
  // The record must still be the one that was read.
  template <class T>
  Edit& require(const model::Record<T>& read) {
    txn_.guards.push_back(kv::AtRevision{key<T>(Codec<T>::name_of(read->value)), {read->revision}});
    return *this;
  }
  // No record of that name may exist.
  template <class T>
  Edit& require_absent(const std::string& name) {
    txn_.guards.push_back(kv::Absent{key<T>(name)});
    return *this;
  }
  // `lease`: the record hangs on it.
  template <class T>
  Edit& put(Table<T>& table, T value, kv::LeaseId lease = {});
  template <class T>
  Edit& erase(Table<T>& table, const std::string& name);

 private:
  friend class Catalog;
  template <class T>
  static std::string key(const std::string& name) {
    return Codec<T>::kFolder + name;
  }
  kv::Txn txn_;
  std::vector<std::function<void(std::uint64_t)>> apply_;  // to the caches, with the commit's revision
};

class Catalog {
 public:
  // Called while loading with how many records there are so far, by one thread at a time.
  using Progress = std::function<void(size_t loaded)>;
  // Blocks while loading, as long as `op` allows and records keep coming: a page of them has kPageTimeout. A
  // record that cannot be read does not stop the others: see problems().
  static Result<std::unique_ptr<Catalog>> open(const Op& op, kv::Store& store, const Progress& progress = {});
  static constexpr Millis kPageTimeout{30'000};
  ~Catalog();

  Table<model::Tenant> tenants;
  Table<model::Volume> volumes;
  Table<model::Mount> mounts;
  Table<model::Snapshot> snapshots;
  Table<model::Node> nodes;
  Table<model::Session> sessions;
  Table<model::Worker> workers;

  // Blocks until durable; returns the new revision. Errors: conflict when a guard does not hold (read
  // again), else those of Store::commit.
  Result<std::uint64_t> commit(const Op& op, Edit edit);

  // Reads one record anew: other processes may have changed it, and the watch not have told yet. Blocks.
  // Errors: those of Store::list.
  template <class T>
  Result<> refresh(const Op& op, Table<T>& table, const std::string& name);

  // Leases for records, see Store. Block.
  Result<kv::LeaseId> grant(const Op& op, Millis ttl) { return store_.grant(op, ttl); }
  Result<> keep_alive(const Op& op, kv::LeaseId lease);
  Result<> revoke(const Op& op, kv::LeaseId lease) { return store_.revoke(op, lease); }

  // Calls back at once with an empty snapshot of what was delivered already, and then with every batch of
  // changes when the tables show it, on the thread of the store's watch: it must not block. One at a time; an
  // empty one ends it, and after the return the former is not called any more. Not from a callback.
  void observe(std::function<void(const kv::WatchBatch&)> observer);

  // Highest revision this process has seen.
  std::uint64_t revision() const;
  // The store's own, now. Blocks. Errors: those of Store::revision.
  Result<std::uint64_t> store_revision(const Op& op);
  // Records that could not be read, with the reason. People must look at them.
  std::vector<std::string> problems() const;

 private:
  explicit Catalog(kv::Store& store) : store_(store) {}
  class Loading;
  Result<> load(const Op& op, const Progress& progress);
  bool take_loaded(const kv::Page& page);
  void finish_loading();
  void take(const kv::WatchBatch& batch);
  void note_problem(const std::string& key, const Error& error);
  void apply(const kv::Event& event);
  void each_table(const auto& look) {
    look(tenants), look(volumes), look(mounts), look(snapshots), look(nodes), look(sessions), look(workers);
  }
  void each_table(const auto& look) const {
    look(tenants), look(volumes), look(mounts), look(snapshots), look(nodes), look(sessions), look(workers);
  }
  template <class T>
  bool apply_to(Table<T>& table, const kv::Event& event);

  kv::Store& store_;
  mutable std::mutex problems_mutex_;
  std::vector<std::string> problems_;
  std::shared_mutex loading_mutex_;    // shared: a page is being taken
  std::atomic<bool> loading_ = true;   // what comes may be older than what the watch told before
  mutable std::mutex delivery_mutex_;  // guards the next two; held while the observer runs
  std::function<void(const kv::WatchBatch&)> observer_;
  kv::Revision delivered_;            // by the watch
  std::unique_ptr<kv::Watch> watch_;  // last: ends before what it feeds
};

// The record that a commit of `value` made. Not what the cache has after the commit: that may be of another
// process already, and what is done next has to be guarded by this process's own.
template <class T>
model::Record<T> as_committed(T value, std::uint64_t revision) {
  settle(value, revision);
  return std::make_shared<const model::Versioned<T>>(std::move(value), revision);
}

// What a table keeps of it.
template <class T>
model::Record<T> as_kept(T value, std::uint64_t revision) {
  settle(value, revision);
  std::string text = text_to_keep(value, revision);
  return std::make_shared<const model::Versioned<T>>(std::move(value), revision, std::move(text));
}

template <class T>
Edit& Edit::put(Table<T>& table, T value, kv::LeaseId lease) {
  const std::string name = Codec<T>::name_of(value);
  txn_.changes.push_back(kv::Put{key<T>(name), Codec<T>::encode(value), lease});
  apply_.push_back([&table, name, value = std::move(value)](std::uint64_t revision) mutable {
    table.apply(name, as_kept(std::move(value), revision), revision);
  });
  return *this;
}

template <class T>
Edit& Edit::erase(Table<T>& table, const std::string& name) {
  txn_.changes.push_back(kv::Erase{key<T>(name)});
  apply_.push_back([&table, name](std::uint64_t revision) { table.apply(name, nullptr, revision); });
  return *this;
}

template <class T>
bool Catalog::apply_to(Table<T>& table, const kv::Event& event) {
  const std::string folder = Codec<T>::kFolder;
  if (!event.key.starts_with(folder)) return false;
  const std::string name = event.key.substr(folder.size());
  if (!event.value) {
    table.apply(name, nullptr, event.revision.value);
    return true;
  }
  // Own commits are in the cache already: do not decode them again.
  const auto known = table.find(name);
  if (known && known->revision >= event.revision.value) return true;
  auto value = Codec<T>::decode(name, *event.value);
  if (value) {
    table.apply(name, as_kept(std::move(*value), event.revision.value), event.revision.value);
    return true;
  }
  note_problem(event.key, value.error());
  return true;
}

template <class T>
Result<> Catalog::refresh(const Op& op, Table<T>& table, const std::string& name) {
  const std::string key = Codec<T>::kFolder + name;
  // Not get(): a page says of which revision it is, also when the record is not there.
  auto page = TRY(store_.list(op, key, "", 1));
  if (!page.entries.empty() && page.entries[0].key == key)
    apply_to(table, {key, std::move(page.entries[0].value), page.entries[0].revision});
  else
    table.apply(name, nullptr, page.revision.value);
  return {};
}

}  // namespace volplugin::catalog
