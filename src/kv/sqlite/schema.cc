// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/schema.h"

namespace volplugin::kv {
namespace {

constexpr std::uint64_t kSchemaVersion = 1;
constexpr std::uint64_t kApplicationId = 0x766f6c70;  // "volp"; in the file header, also for file(1)

constexpr const char* kCreate = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE meta (
    schema_version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    compacted INTEGER NOT NULL
  );
  INSERT INTO meta VALUES (1, 0, 0);
  CREATE TABLE kv (
    key BLOB PRIMARY KEY NOT NULL,
    value BLOB NOT NULL,
    revision INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE events (
    revision INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    key BLOB NOT NULL,
    value BLOB,
    PRIMARY KEY (revision, seq)
  ) WITHOUT ROWID;
  PRAGMA application_id = 1987013744;
  COMMIT;)";
static_assert(kSchemaVersion == 1 && kApplicationId == 1987013744);

// True if the tables are there already. Nothing is written before the file is known to be ours.
Result<bool> check_ours(Connection& connection) {
  const auto id = TRY(connection.read_integer("PRAGMA application_id"));
  const auto tables = TRY(connection.read_integer("SELECT count(*) FROM sqlite_schema"));
  if (id == 0 && tables == 0) return false;
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
  return true;
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

Result<Database> prepare(Connection connection) {
  const bool exists = TRY(check_ours(connection));
  TRY(make_durable(connection));
  if (!exists) TRY(connection.execute(kCreate));
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
  return Database{std::move(connection), revision, compacted};
}

}  // namespace

Result<Database> open_database(const std::string& path) {
  auto connection = TRY_CTX(Connection::open(path, Connection::Mode::read_write), "opening store '{}'", path);
  return TRY_CTX(prepare(std::move(connection)), "opening store '{}'", path);
}

}  // namespace volplugin::kv
