// SPDX-License-Identifier: Apache-2.0
// The database of an SqliteStore: one file, four tables.
//   meta    one row: schema_version, revision (the latest), compacted (events up to here are gone)
//   kv      the entries as they are now; lease NULL: none
//   leases  those that have not ended, with their times; ids are never used again
//   events  the history for watches: every change after `compacted`; value NULL: erased
// Keys and values are BLOBs throughout; SQLite would not compare TEXT and BLOB as equal.
#pragma once

#include "kv/sqlite/connection.h"
#include "kv/store.h"

#include <vector>

namespace volplugin::kv {

struct StoredLease {
  LeaseId id;
  Millis ttl{0};
};

struct Database {
  Connection connection;  // the one that writes: WAL, synchronous=FULL
  std::uint64_t revision = 0;
  std::uint64_t compacted = 0;
  std::vector<StoredLease> leases;
};

// Opens the database in the existing file `path`, makes the tables if it is empty, and brings those of an
// older version up to date.
// Errors: corrupt (not SQLite, not ours, or contradicts itself), unsupported (written by a newer
// version), resource_exhausted, permission_denied, unavailable.
Result<Database> open_database(const std::string& path);

}  // namespace volplugin::kv
