// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/connection.h"

namespace volplugin::kv {
namespace {

constexpr int kBusyTimeoutMs = 2000;  // only foreign programs, e.g. a backup, hold SQLite's locks
constexpr int kCheckpointFrames = 1000;
constexpr int kForceCheckpointFrames = 16'000;

// Moves the log into the database file. Passive checkpoints cannot restart the log while readers
// overlap; when it has grown to 64 MiB, wait for them. A failed checkpoint loses nothing and must not
// fail the commit that triggered it; the next one tries again.
int on_wal(void*, sqlite3* db, const char* name, int frames) {
  if (frames < kCheckpointFrames) return SQLITE_OK;
  const int mode = frames < kForceCheckpointFrames ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
  sqlite3_wal_checkpoint_v2(db, name, mode, nullptr, nullptr);
  return SQLITE_OK;
}

Code code_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Code::resource_exhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Code::permission_denied;
    case SQLITE_BUSY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
      return Code::unavailable;
    default:
      return Code::internal;
  }
}

// What the reader of the message can do about it.
std::string_view advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "; free space on its file system";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "; restore a backup: docs/operations/backup.md";
    case SQLITE_BUSY:
      return "; another program has locked the database";
    default:
      return "";
  }
}

}  // namespace

Error sqlite_error(int code, const char* text, std::string_view doing, std::source_location origin) {
  return make_error(code_of(code), fmt::format("{}: {} (SQLite {}){}", doing, text, code, advice(code)),
                    Effect::none, origin);
}

Result<Connection> Connection::open(const std::string& path, Mode mode) {
  const int access = mode == Mode::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  sqlite3* db = nullptr;
  const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  Connection connection;
  connection.db_.reset(db);
  if (db == nullptr) return make_error(Code::unavailable, "no memory for a database connection");
  if (code != SQLITE_OK) return sqlite_error(code, sqlite3_errmsg(db), fmt::format("opening '{}'", path));
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  // Pages cached per connection: 1 MiB for the one that writes, 256 KiB for each that reads.
  TRY(connection.execute(mode == Mode::read_write ? "PRAGMA cache_size=-1024" : "PRAGMA cache_size=-256"));
  return connection;
}

Result<> Connection::execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(code, sqlite3_errmsg(db_.get()), fmt::format("'{}'", sql));
  return {};
}

Result<Statement> Connection::prepare(const char* sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return sqlite_error(code, sqlite3_errmsg(db_.get()), fmt::format("'{}'", sql));
  Statement statement;
  statement.handle_.reset(handle);
  return statement;
}

Result<std::uint64_t> Connection::read_integer(const char* sql) {
  Statement statement = TRY(prepare(sql));
  Query query(statement);
  if (!TRY(query.step())) return make_error(Code::corrupt, fmt::format("'{}': no row", sql));
  return query.number(0);
}

Result<std::string> Connection::read_text(const char* sql) {
  Statement statement = TRY(prepare(sql));
  Query query(statement);
  if (!TRY(query.step())) return make_error(Code::corrupt, fmt::format("'{}': no row", sql));
  return query.bytes(0);
}

void Connection::checkpoint_in_commits() {
  sqlite3_wal_hook(db_.get(), on_wal, nullptr);
}

void Connection::checkpoint() {
  sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

Result<> Connection::roll_back() {
  if (sqlite3_get_autocommit(db_.get()) != 0) return {};
  return execute("ROLLBACK");
}

std::uint64_t Connection::rows_changed() const {
  return std::uint64_t(sqlite3_changes64(db_.get()));
}

int Connection::last_code() const {
  return sqlite3_extended_errcode(db_.get());
}

Query::~Query() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

Query& Query::bind(int index, const std::string& bytes) {
  // data() of an empty string is not null, so an empty value does not become NULL.
  note(sqlite3_bind_blob64(handle_, index, bytes.data(), bytes.size(), SQLITE_STATIC));
  return *this;
}

Query& Query::bind(int index, std::uint64_t number) {
  note(sqlite3_bind_int64(handle_, index, sqlite3_int64(number)));
  return *this;
}

Query& Query::bind_null(int index) {
  note(sqlite3_bind_null(handle_, index));
  return *this;
}

void Query::note(int code) {
  if (code_ == SQLITE_OK) code_ = code;
}

Result<bool> Query::step() {
  if (code_ != SQLITE_OK) return sqlite_error(code_, sqlite3_errstr(code_), sqlite3_sql(handle_));
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return sqlite_error(code, sqlite3_errmsg(sqlite3_db_handle(handle_)),
                      fmt::format("'{}'", sqlite3_sql(handle_)));
}

Result<> Query::run() {
  while (TRY(step())) {
  }
  return {};
}

std::string Query::bytes(int column) {
  const void* data = sqlite3_column_blob(handle_, column);  // null for an empty value
  const auto size = size_t(sqlite3_column_bytes(handle_, column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

std::uint64_t Query::number(int column) {
  return std::uint64_t(sqlite3_column_int64(handle_, column));
}

bool Query::is_null(int column) {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

}  // namespace volplugin::kv
