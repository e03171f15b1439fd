// SPDX-License-Identifier: Apache-2.0
// The rules of the Store contract that do not depend on how entries are stored. Pure functions,
// shared by all implementations so that they cannot disagree.
#pragma once

#include "kv/store.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::kv {

// Errors: invalid_argument for an empty or too long key.
Result<> check_key(const std::string& key);
// Errors: invalid_argument, naming the limit of Store that is broken.
Result<> check_limits(const Txn& txn);
Result<> check_page_limit(size_t limit);
Result<Millis> check_ttl(Millis ttl);  // the time in whole seconds
// Errors: conflict. `current` is the revision of the guard's key, nullopt when it is absent.
Result<> check_guard(const Guard& guard, std::optional<Revision> current);
// Errors: invalid_argument for a watch from behind the store's `current` revision.
Result<> check_watch_start(Revision from, Revision current);

const std::string& key_of(const Guard& guard);
const std::string& key_of(const Change& change);
LeaseId lease_of(const Change& change);  // 0 for an Erase, too
Error lease_ended(LeaseId lease);        // not_found
// The last change of each key, in their order. Points into `txn`.
std::vector<const Change*> effective_changes(const Txn& txn);

// The keys of list(prefix, after) are those in [first_key, end_key).
std::string first_key(const std::string& prefix, const std::string& after);
std::string end_key(const std::string& prefix);

// For messages: bytes that are not printable ASCII as \xNN, cut after 64 bytes.
std::string printable(std::string_view key);

}  // namespace volplugin::kv
