// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/schema.h"

namespace volplugin::kv {
namespace {

constexpr std::uint64_t kSchemaVersion = 2;
constexpr std::uint64_t kApplicationId = 0x766f6c70;  // "volp"; in the file header, also for file(1)

constexpr const char* kCreate = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE meta (
    schema_version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL
  );
  INSERT INTO meta VALUES (2, 0, 0);
  CREATE TABLE kv (
    key BLOB PRIMARY KEY NOT NULL,
    value BLOB NOT NULL,
    revision INTEGER NOT NULL,
    lease INTEGER
  ) WITHOUT ROWID;
  CREATE INDEX kv_by_lease ON kv (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ttl_ms INTEGER NOT NULL
  );
  CREATE TABLE events (
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB,
    PRIMARY KEY (revision, seq)
  ) WITHOUT ROWID;
  PRAGMA application_id = 1987013744;
  COMMIT;)";
// Leases came with version 2.
constexpr const char* kUpgradeFrom1 = R"(
  BEGIN IMMEDIATE;
  ALTER TABLE kv ADD COLUMN lease INTEGER;
  CREATE INDEX kv_by_lease ON kv (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ttl_ms INTEGER NOT NULL
  );
  UPDATE meta SET schema_version = 2;
  COMMIT;)";
static_assert(kSchemaVersion == 2 && kApplicationId == 1987013744);

// The schema's version, 0 if there are no tables. Nothing is written before the file is known to be ours.
Result<std::uint64_t> check_ours(Connection& connection) {
  const auto id = TRY(connection.read_integer("PRAGMA application_id"));
  const auto tables = TRY(connection.read_integer("SELECT count(*) FROM sqlite_schema"));
  if (id == 0 && tables == 0) return std::uint64_t(0);
  if (id != kApplicationId)
    return make_error(Code::corrupt,
                      "an SQLite database, but not a volplugin store; correct the path or restore a backup: "
                      "docs/operations/backup.md");
  const auto version = TRY(connection.read_integer("SELECT schema_version FROM meta"));
  if (version > kSchemaVersion)
    return make_error(
        Code::unsupported,
        fmt::format("written by a newer version (schema {}, this one knows up to {}); install that "
                    "version again, or restore a backup from before the upgrade: "
                    "docs/operations/backup.md",
                    version, kSchemaVersion));
  return version;
}

// Makes the connection as durable as the Store contract demands. synchronous=NORMAL would lose
// acknowledged commits in a power failure.
Result<> make_durable(Connection& connection) {
  const auto mode = TRY(connection.read_text("PRAGMA journal_mode=WAL"));
  if (mode != "wal")
    return make_error(Code::unsupported,
                      fmt::format("its file system cannot hold a write-ahead log (journal mode '{}')", mode));
  TRY(connection.execute("PRAGMA synchronous=FULL"));
  TRY(connection.execute("PRAGMA secure_delete=FAST"));
  TRY(connection.read_integer("PRAGMA journal_size_limit=16777216"));
  connection.checkpoint_in_commits();
  return {};
}

Result<std::vector<StoredLease>> read_leases(Connection& connection) {
  Statement statement = TRY(connection.prepare("SELECT id, ttl_ms FROM leases"));
  Query query(statement);
  std::vector<StoredLease> leases;
  while (TRY(query.step())) leases.push_back({LeaseId{query.number(0)}, Millis(query.number(1))});
  return leases;
}

Result<Database> prepare(Connection connection) {
  const auto version = TRY(check_ours(connection));
  TRY(make_durable(connection));
  if (version == 0) TRY(connection.execute(kCreate));
  if (version == 1) TRY(connection.execute(kUpgradeFrom1));
  const auto revision = TRY(connection.read_integer("SELECT revision FROM meta"));
  const auto compacted = TRY(connection.read_integer("SELECT compacted FROM meta"));
  const auto last_event = TRY(
      connection.read_integer("SELECT coalesce(max(revision), (SELECT compacted FROM meta)) FROM events"));
  if (last_event != revision || compacted > revision)
    return make_error(
        Code::corrupt,
        fmt::format("its revision is {}, but its last event has {} and {} is compacted; restore a "
                    "backup: docs/operations/backup.md",
                    revision, last_event, compacted));
  auto leases = TRY(read_leases(connection));
  return Database{std::move(connection), revision, compacted, std::move(leases)};
}

}  // namespace

Result<Database> open_database(const std::string& path) {
  auto connection = TRY_CTX(Connection::open(path, Connection::Mode::read_write), "opening store '{}'", path);
  return TRY_CTX(prepare(std::move(connection)), "opening store '{}'", path);
}

}  // namespace volplugin::kv
