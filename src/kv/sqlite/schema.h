// SPDX-License-Identifier: Apache-2.0
// The database of an SqliteStore: one file, three tables.
//   meta    one row: schema_version, revision (the latest), compacted (events up to here are gone)
//   kv      the entries as they are now
//   events  the history for watches: every change after `compacted`; value NULL: erased
// Keys and values are BLOBs throughout; SQLite would not compare TEXT and BLOB as equal.
#pragma once

#include "kv/sqlite/connection.h"

namespace volplugin::kv {

struct Database {
  Connection connection;  // the one that writes: WAL, synchronous=FULL
  std::uint64_t revision = 0;
  std::uint64_t compacted = 0;
};

// Opens the database in the existing file `path` and makes the tables if it is empty.
// Errors: corrupt (not SQLite, not ours, or contradicts itself), unsupported (written by a newer
// version), resource_exhausted, permission_denied, unavailable.
Result<Database> open_database(const std::string& path);

}  // namespace volplugin::kv
