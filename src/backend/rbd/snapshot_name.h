// SPDX-License-Identifier: Apache-2.0
// What Ceph calls a snapshot that volplugin took: "name.uid", with a uid as a UUID is written. Pure.
#pragma once

#include "backend/snapshots.h"

#include <optional>
#include <string>
#include <string_view>

namespace volplugin::backend {

struct SnapshotWords {
  std::string name, uid;
};

// Errors: invalid_argument (a name that is empty or has characters Ceph's tools give a meaning; no UUID).
Result<> check_snapshot_words(const std::string& name, const std::string& uid);
std::string snapshot_name(const SnapshotKey& key);
// nullopt: somebody else took it.
std::optional<SnapshotWords> parse_snapshot_name(std::string_view text);

}  // namespace volplugin::backend
