// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/sqlite_store.h"

#include "kv/leases.h"
#include "kv/rules.h"
#include "kv/sqlite/commit_queue.h"
#include "kv/sqlite/reader.h"
#include "kv/sqlite/store_files.h"
#include "kv/watch_hub.h"

namespace volplugin::kv {
namespace {

constexpr Millis kWatchStart{5000};  // the most watch() waits for a reader
constexpr Millis kEndLease{5000};    // the most the end of a lease waits for commits

// The events table. A connection of its own, so that watchers neither wait for readers nor hold them up.
class SqliteHistory final : public History {
 public:
  explicit SqliteHistory(std::string path) : path_(std::move(path)) {}

  Result<WatchBatch> read(Revision after) override {
    if (!reader_) reader_ = TRY(Reader::open(path_));
    return reader_->events(after);
  }

 private:
  const std::string path_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace

// Destroyed from the last to the first: the writer's connection closes last, which empties the log.
struct SqliteStore::Parts {
  Parts(StoreLock held, const Clock& clk, const std::string& path)
      : lock(std::move(held)), clock(clk), history(path), readers(path) {}

  StoreLock lock;
  const Clock& clock;
  std::unique_ptr<CommitQueue> commits;
  SqliteHistory history;
  ReaderPool readers;
  std::unique_ptr<WatchHub> hub;
  std::unique_ptr<Leases> leases;
};

SqliteStore::SqliteStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, const Clock& clock,
                                                       HistoryPolicy policy) {
  if (path.empty()) return make_error(Code::invalid_argument, "the path of the store is empty");
  TRY_CTX(ensure_parent(path), "opening store '{}'", path);
  StoreLock lock = TRY(StoreLock::acquire(path, clock));
  TRY_CTX(ensure_file(path), "opening store '{}'", path);
  Database database = TRY(open_database(path));
  const Revision revision{database.revision}, compacted{database.compacted};
  const auto stored_leases = database.leases;
  auto parts = std::make_unique<Parts>(std::move(lock), clock, path);
  parts->hub = std::make_unique<WatchHub>(parts->history, revision, compacted);
  WatchHub& hub = *parts->hub;
  auto writer =
      TRY(Writer::open(std::move(database), policy, [&hub](Revision wanted) { return hub.compact(wanted); }));
  parts->commits =
      std::make_unique<CommitQueue>(std::move(writer), [&hub](Revision now) { hub.publish(now); });
  parts->leases = std::make_unique<Leases>(clock, [&clock, &commits = *parts->commits](LeaseId lease) {
    return commits.end(Op(clock, kEndLease, "lease", "kv"), lease);
  });
  for (const auto& lease : stored_leases) parts->leases->add(lease.id, lease.ttl);
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(parts)));
}

Result<std::optional<Entry>> SqliteStore::get(const Op& op, const std::string& key) {
  TRY(check_key(key));
  const auto reader = TRY(parts_->readers.acquire(op));
  return TRY_CTX(reader->get(key), "reading key '{}'", printable(key));
}

Result<Page> SqliteStore::list(const Op& op, const std::string& prefix, const std::string& after,
                               size_t limit) {
  TRY(check_page_limit(limit));
  const auto reader = TRY(parts_->readers.acquire(op));
  return TRY_CTX(reader->list(prefix, after, limit), "listing keys under '{}'", printable(prefix));
}

Result<Revision> SqliteStore::commit(const Op& op, const Txn& txn) {
  TRY(check_limits(txn));
  TRY(op.check("committing"));
  return parts_->commits->commit(op, txn);
}

Result<std::unique_ptr<Watch>> SqliteStore::watch(const std::string& prefix, Revision from,
                                                  std::function<void(const WatchBatch&)> on_batch) {
  // Read from the database, not from the hub, which learns of a commit after readers can see it.
  const Op op(parts_->clock, kWatchStart, "watch", "kv");
  TRY(check_watch_start(from, TRY(revision(op))));
  return parts_->hub->watch(prefix, from, std::move(on_batch));
}

Result<Revision> SqliteStore::revision(const Op& op) {
  const auto reader = TRY(parts_->readers.acquire(op));
  return TRY_CTX(reader->revision(), "reading the revision of the store");
}

Result<LeaseId> SqliteStore::grant(const Op& op, Millis ttl) {
  ttl = TRY(check_ttl(ttl));
  TRY(op.check("granting a lease"));
  const LeaseId lease = TRY_CTX(parts_->commits->grant(op, ttl), "granting a lease");
  parts_->leases->add(lease, ttl);
  return lease;
}

Result<Millis> SqliteStore::keep_alive(const Op& op, LeaseId lease) {
  TRY(op.check("keeping a lease alive"));
  return parts_->leases->renew(lease);
}

Result<> SqliteStore::revoke(const Op& op, LeaseId lease) {
  TRY(op.check("revoking a lease"));
  TRY_CTX(parts_->commits->end(op, lease), "revoking a lease");
  parts_->leases->forget(lease);
  return {};
}

}  // namespace volplugin::kv
