// SPDX-License-Identifier: Apache-2.0
// Connection, Statement, Query: SQLite with Result errors. The only way into SQLite.
// A connection and what was made from it are used by one thread at a time; it outlives its statements.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>

#include <sqlite3.h>

namespace volplugin::kv {

class Statement {
 public:
  Statement() = default;

 private:
  friend class Connection;
  friend class Query;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Connection {
 public:
  enum class Mode { read_write, read_only };

  // The file must exist. Errors: permission_denied, corrupt, unavailable.
  static Result<Connection> open(const std::string& path, Mode mode);

  Result<> execute(const char* sql);  // statements without results
  Result<Statement> prepare(const char* sql);
  Result<std::uint64_t> read_integer(const char* sql);  // first column of the one row
  Result<std::string> read_text(const char* sql);

  // From now on commits move a long log into the database file, instead of SQLite's own way.
  void checkpoint_in_commits();
  void checkpoint();  // now, as far as readers allow; failing loses nothing
  // Rolls back the open transaction, if SQLite has not done it already.
  Result<> roll_back();
  std::uint64_t rows_changed() const;  // by the last statement
  int last_code() const;               // extended SQLite result code of the last call

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Close> db_;
};

// One run of a statement; ready for the next one when destroyed. Bound strings must live until then.
class Query {
 public:
  explicit Query(Statement& statement) : handle_(statement.handle_.get()) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(int index, const std::string& bytes);
  Query& bind(int index, std::uint64_t number);
  Query& bind_null(int index);

  Result<bool> step();  // true: there is a row
  Result<> run();       // to the end

  std::string bytes(int column);
  std::uint64_t number(int column);
  bool is_null(int column);

 private:
  void note(int code);

  sqlite3_stmt* handle_;
  int code_ = SQLITE_OK;  // of the first failed bind
};

// Translates an SQLite result code; the effect is none. `doing`: "opening '/x'".
Error sqlite_error(int code, const char* text, std::string_view doing,
                   std::source_location origin = std::source_location::current());

}  // namespace volplugin::kv
