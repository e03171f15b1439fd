// SPDX-License-Identifier: Apache-2.0
// Table<T>: the cached records of one kind. Reads cost no storage access and copy pointers only.
// Filled by Catalog: from the store at open, then by its own commits and by the watch. Thread-safe.
#pragma once

#include "catalog/codec.h"
#include "service/volmaster.h"

#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

namespace volplugin::catalog {

template <class T>
class Table {
 public:
  // null: no such record.
  model::Record<T> find(const std::string& name) const {
    const std::shared_lock lock(mutex_);
    const auto found = records_.find(name);
    return found == records_.end() ? nullptr : found->second;
  }

  // One page; `prefix` restricts the names ("tenant1/").
  service::Page<T> list(const std::string& prefix, const std::string& after, size_t limit) const {
    const std::shared_lock lock(mutex_);
    service::Page<T> page;
    page.items.reserve(std::min(limit, records_.size()));
    auto at = after.empty() || after < prefix ? records_.lower_bound(prefix) : records_.upper_bound(after);
    for (; at != records_.end() && at->first.starts_with(prefix); ++at) {
      if (page.items.size() >= limit) {
        if (page.items.empty()) break;  // limit 0: nothing is wanted
        page.next = Codec<T>::name_of(page.items.back()->value);
        break;
      }
      page.items.push_back(at->second);
    }
    page.revision = revision_;
    return page;
  }

  // All records that are not at rest (is_at_rest()), ascending by name. Costs nothing for the others.
  std::vector<model::Record<T>> list_not_at_rest() const {
    const std::shared_lock lock(mutex_);
    std::vector<model::Record<T>> items;
    items.reserve(not_at_rest_.size());
    for (const auto& name : not_at_rest_) items.push_back(records_.at(name));
    return items;
  }

  size_t size() const {
    const std::shared_lock lock(mutex_);
    return records_.size();
  }

 private:
  friend class Catalog;
  friend class Edit;

  // Changes come from two sides (own commits at once, the watch later); the newer revision wins, also
  // over an older change of a record that is erased by now.
  void apply(const std::string& name, model::Record<T> record, std::uint64_t revision) {
    const std::unique_lock lock(mutex_);
    revision_ = std::max(revision_, revision);
    const auto erased = erased_.find(name);
    if (erased != erased_.end() && revision <= erased->second) return;
    const auto found = records_.find(name);
    if (found != records_.end() && found->second->revision >= revision) return;
    if (record && !is_at_rest(record->value))
      not_at_rest_.insert(name);
    else
      not_at_rest_.erase(name);
    if (!record) {
      if (found != records_.end()) records_.erase(found);
      erased_[name] = revision;
    } else if (found != records_.end()) {
      found->second = std::move(record);
    } else {
      records_.emplace_hint(records_.end(), name, std::move(record));  // while loading they come in order
    }
  }

  // The watch starts anew from a snapshot with these keys. What this process committed after it stays,
  // unless the store went back in time.
  void keep_only(const std::set<std::string>& keys, std::uint64_t revision, bool store_restored) {
    const std::string folder = Codec<T>::kFolder;
    const std::unique_lock lock(mutex_);
    std::erase_if(records_, [&](const auto& item) {
      if (store_restored) return true;
      return item.second->revision <= revision && !keys.contains(folder + item.first);
    });
    std::erase_if(not_at_rest_, [&](const auto& name) { return !records_.contains(name); });
    if (store_restored) erased_.clear();
  }

  // The watch has delivered everything up to `revision`: older erasures need no remembering.
  void delivered(std::uint64_t revision) {
    const std::unique_lock lock(mutex_);
    revision_ = std::max(revision_, revision);
    std::erase_if(erased_, [&](const auto& item) { return item.second <= revision; });
  }

  mutable std::shared_mutex mutex_;
  std::map<std::string, model::Record<T>> records_;
  std::set<std::string> not_at_rest_;  // names in records_
  std::map<std::string, std::uint64_t> erased_;
  std::uint64_t revision_ = 0;
};

}  // namespace volplugin::catalog
