// SPDX-License-Identifier: Apache-2.0
#include "kv/rules.h"

#include <algorithm>

namespace volplugin::kv {
namespace {

Error limit_error(std::string_view what, size_t is, size_t limit) {
  return make_error(Code::invalid_argument, fmt::format("{} {}: at most {} allowed", is, what, limit));
}

}  // namespace

Result<> check_key(const std::string& key) {
  if (key.empty()) return make_error(Code::invalid_argument, "a key must not be empty");
  if (key.size() > Store::kMaxKeyBytes)
    return make_error(Code::invalid_argument, fmt::format("key '{}' has {} bytes: at most {} allowed",
                                                          printable(key), key.size(), Store::kMaxKeyBytes));
  return {};
}

Result<> check_limits(const Txn& txn) {
  if (txn.guards.size() > Store::kMaxChanges)
    return limit_error("guards in a transaction", txn.guards.size(), Store::kMaxChanges);
  if (txn.changes.size() > Store::kMaxChanges)
    return limit_error("changes in a transaction", txn.changes.size(), Store::kMaxChanges);
  size_t bytes = 0;
  for (const Guard& guard : txn.guards) {
    TRY(check_key(key_of(guard)));
    bytes += key_of(guard).size();
  }
  for (const Change& change : txn.changes) {
    TRY(check_key(key_of(change)));
    const auto* put = std::get_if<Put>(&change);
    bytes += key_of(change).size() + (put == nullptr ? 0 : put->value.size());
    if (put != nullptr && put->value.size() > Store::kMaxValueBytes)
      return make_error(Code::invalid_argument,
                        fmt::format("value of key '{}' has {} bytes: at most {} allowed", printable(put->key),
                                    put->value.size(), Store::kMaxValueBytes));
  }
  if (bytes > Store::kMaxTxnBytes) return limit_error("bytes in a transaction", bytes, Store::kMaxTxnBytes);
  return {};
}

Result<Millis> check_ttl(Millis ttl) {
  if (ttl < Store::kMinLease || ttl > Store::kMaxLease)
    return make_error(Code::invalid_argument,
                      fmt::format("a lease of {} ms: {} to {} ms allowed", ttl.count(),
                                  Store::kMinLease.count(), Store::kMaxLease.count()));
  return Millis(std::chrono::ceil<std::chrono::seconds>(ttl));
}

Error lease_ended(LeaseId lease) {
  return make_error(Code::not_found, fmt::format("lease {:x} has ended", lease.value));
}

Result<> check_page_limit(size_t limit) {
  if (limit == 0 || limit > Store::kMaxPage)
    return make_error(Code::invalid_argument,
                      fmt::format("page of {} entries: 1 to {} allowed", limit, Store::kMaxPage));
  return {};
}

Result<> check_guard(const Guard& guard, std::optional<Revision> current) {
  const auto* at = std::get_if<AtRevision>(&guard);
  const Revision wanted = at != nullptr ? at->revision : Revision{};
  const Revision found = current.value_or(Revision{});
  if (found == wanted) return {};
  const std::string key = printable(key_of(guard));
  if (!current) return make_error(Code::conflict, fmt::format("key '{}' does not exist", key));
  if (wanted.value == 0)
    return make_error(Code::conflict, fmt::format("key '{}' exists (revision {})", key, found.value));
  return make_error(Code::conflict,
                    fmt::format("key '{}' is at revision {}, not {}", key, found.value, wanted.value));
}

Result<> check_watch_start(Revision from, Revision current) {
  if (from <= current) return {};
  return make_error(
      Code::invalid_argument,
      fmt::format("revision {} lies ahead of the store's {} (restored from a backup?): list again and "
                  "watch from the listed revision",
                  from.value, current.value));
}

LeaseId lease_of(const Change& change) {
  const auto* put = std::get_if<Put>(&change);
  return put == nullptr ? LeaseId{} : put->lease;
}

const std::string& key_of(const Guard& guard) {
  return std::visit([](const auto& g) -> const std::string& { return g.key; }, guard);
}

const std::string& key_of(const Change& change) {
  return std::visit([](const auto& c) -> const std::string& { return c.key; }, change);
}

// Quadratic, but of at most kMaxChanges and usually of one to three.
std::vector<const Change*> effective_changes(const Txn& txn) {
  std::vector<const Change*> result;
  result.reserve(txn.changes.size());
  for (auto it = txn.changes.begin(); it != txn.changes.end(); ++it) {
    const auto same_key = [&](const Change& later) { return key_of(later) == key_of(*it); };
    if (std::none_of(std::next(it), txn.changes.end(), same_key)) result.push_back(&*it);
  }
  return result;
}

std::string first_key(const std::string& prefix, const std::string& after) {
  return std::max(prefix, after.empty() ? after : after + '\0');  // the smallest key behind `after`
}

std::string end_key(const std::string& prefix) {
  std::string end = prefix;
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (end.empty()) return std::string(Store::kMaxKeyBytes + 1, '\xff');  // behind every allowed key
  end.back() = char(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

std::string printable(std::string_view key) {
  constexpr size_t kShown = 64;
  std::string text;
  for (const char c : key.substr(0, kShown)) {
    if (c >= 0x20 && c < 0x7f && c != '\\')
      text += c;
    else
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (key.size() > kShown) text += "...";
  return text;
}

}  // namespace volplugin::kv
