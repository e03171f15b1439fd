// SPDX-License-Identifier: Apache-2.0
// Reader: a read-only connection with the queries of the Store contract. ReaderPool: a few of them.
#pragma once

#include "kv/history.h"
#include "kv/sqlite/connection.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::kv {

// One thread at a time. Sees what is committed, one snapshot per call. Errors: unavailable, corrupt.
class Reader {
 public:
  static Result<std::unique_ptr<Reader>> open(const std::string& path);

  Result<std::optional<Entry>> get(const std::string& key);
  Result<Page> list(const std::string& prefix, const std::string& after, size_t limit);
  Result<Revision> revision();
  Result<WatchBatch> events(Revision after);  // as History::read

 private:
  explicit Reader(Connection connection) : connection_(std::move(connection)) {}
  Result<> prepare();
  Result<Page> list_snapshot(const std::string& prefix, const std::string& after, size_t limit);
  Result<WatchBatch> events_snapshot(Revision after);

  Connection connection_;
  Statement begin_, get_, list_, revision_, events_;
};

// Opens readers when they are needed and keeps them. Any thread.
class ReaderPool {
 public:
  // A reader for one call; returns to the pool when destroyed.
  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<Reader> reader) : pool_(&pool), reader_(std::move(reader)) {}
    Lease(Lease&&) = default;
    ~Lease();
    Reader* operator->() const { return reader_.get(); }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Reader> reader_;
  };

  explicit ReaderPool(std::string path) : path_(std::move(path)) {}

  // Blocks while all readers are in use. Errors: deadline_exceeded, cancelled, unavailable.
  Result<Lease> acquire(const Op& op);

 private:
  void give_back(std::unique_ptr<Reader> reader);

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable_any returned_;
  std::vector<std::unique_ptr<Reader>> idle_;
  size_t leased_ = 0;
};

}  // namespace volplugin::kv
