// SPDX-License-Identifier: Apache-2.0
// Writer: executes transactions, many in one SQLite transaction and so with one flush to disk.
// Used by one thread at a time (CommitQueue sees to it).
// States: working -> refusing, after an I/O error in COMMIT: the log may or may not hold the
// transaction and the kernel may have dropped the pages, so only reopening can tell what is stored.
#pragma once

#include "kv/history.h"
#include "kv/sqlite/schema.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <variant>

namespace volplugin::kv {

class Writer {
 public:
  struct GrantLease {
    Millis ttl{0};
  };
  struct EndLease {  // one that has ended: no change, no error
    LeaseId lease;
  };
  using Work = std::variant<const Txn*, GrantLease, EndLease>;
  struct Job {
    Work work;
    Result<Revision> result = Revision{};
    LeaseId granted{};  // by a GrantLease
  };
  // Answers how far history may go, at most to its argument (WatchHub::compact).
  using Compactable = std::function<Revision(Revision wanted)>;

  static Result<std::unique_ptr<Writer>> open(Database database, HistoryPolicy policy,
                                              Compactable compactable);

  // Blocks until durable. Sets every job's result; a job that fails does not touch the others.
  void execute(std::span<Job* const> jobs);

  Revision revision() const { return {committed_.revision}; }

 private:
  // What a transaction moves on.
  struct Position {
    std::uint64_t revision = 0;
    std::uint64_t compacted = 0;
    std::uint64_t lease_changes = 0;  // how many so far, as they have no revision
    bool operator==(const Position&) const = default;
  };

  Writer(Database database, HistoryPolicy policy, Compactable compactable);
  Result<> prepare();
  Result<> attempt(std::span<Job* const> jobs);
  void settle(std::span<Job* const> jobs, const Result<>& done);
  Result<Position> apply_all(std::span<Job* const> jobs);
  Result<> apply(Job& job, Position& position);
  Result<> apply_txn(const Txn& txn, Position& position);
  Result<> grant(Job& job, Position& position);
  Result<> end(LeaseId lease, Position& position);
  Result<> check_lease(LeaseId lease);
  Result<std::optional<Revision>> revision_of(const std::string& key);
  Result<bool> apply(const Change& change, std::uint64_t revision, std::uint64_t seq);
  Result<> compact(Position& position);
  Result<> commit(const Position& position);
  void refuse(const Error& reason);

  Connection connection_;
  const HistoryPolicy policy_;
  const Compactable compactable_;
  Position committed_;
  std::optional<Error> refusing_;
  Statement begin_, commit_, find_, put_, erase_, event_, forget_, update_;
  Statement grant_, find_lease_, lease_keys_, end_lease_;
};

}  // namespace volplugin::kv
