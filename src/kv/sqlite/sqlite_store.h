// SPDX-License-Identifier: Apache-2.0
// SqliteStore: the Store contract in one SQLite file, for one host. Durable: a commit that returned is
// on disk (write-ahead log, synchronous=FULL).
// Files: PATH, PATH-wal, PATH-shm (SQLite's own) and PATH.lock; mode 0600.
// Threads: "kv-watch" for its watches (WatchHub), "kv-lease" while there are leases (Leases); commits run
// on their callers' threads (CommitQueue). Leases are in the file; opened anew they have their full time.
#pragma once

#include "base/clock.h"
#include "kv/history.h"

#include <memory>
#include <string>

namespace volplugin::kv {

class SqliteStore final : public Store {
 public:
  // Makes the file, and its directory (mode 0700), if missing. `clock` must outlive the store.
  // Errors: busy (another process, or this one, has it open), corrupt, unsupported (written by a newer
  // version), resource_exhausted, permission_denied, unavailable.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, const Clock& clock,
                                                   HistoryPolicy policy = {});
  ~SqliteStore() override;

  Result<std::optional<Entry>> get(const Op& op, const std::string& key) override;
  Result<Page> list(const Op& op, const std::string& prefix, const std::string& after, size_t limit) override;
  // After an I/O error whose outcome is unknown, all further commits fail (unavailable, Effect::none)
  // until the store is opened anew.
  Result<Revision> commit(const Op& op, const Txn& txn) override;
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from,
                                       std::function<void(const WatchBatch&)> on_batch) override;
  Result<Revision> revision(const Op& op) override;
  Result<LeaseId> grant(const Op& op, Millis ttl) override;
  Result<Millis> keep_alive(const Op& op, LeaseId lease) override;
  Result<> revoke(const Op& op, LeaseId lease) override;

 private:
  struct Parts;

  explicit SqliteStore(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace volplugin::kv
