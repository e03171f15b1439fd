// SPDX-License-Identifier: Apache-2.0
// Store: the versioned key-value port the control plane stands on. Implementations: MemoryStore
// (tests), SqliteStore (one host), EtcdStore (clusters); all run one suite (tests/contract/kv_contract.h).
//
// Semantics (those of etcd v3, so that every implementation can keep them):
// - One revision counter for the whole store; it grows by one with every commit that changes something.
//   (What others keep in the same etcd counts, too: there it may grow by more.)
// - An entry carries the revision of its last change.
// - A transaction is all or nothing, and durable when commit() returns success.
// - Watchers see every change after the revision they start from, in order, without gaps. A watch whose
//   history is gone, after an outage longer than it is kept, gets one snapshot batch instead and goes on
//   from there. Only EtcdStore can get there: the others keep what a watcher has not seen.
// - A key may hang on a lease: it is erased, an ordinary change, when the lease ends. Leases end late
//   rather than early: after a restart or a change of leader they have their full time again.
// - Keys and values are any bytes; a key is not empty. Keys compare as unsigned bytes.
// Lifecycle: made by open(); destroying it ends all watches first, and nobody may be inside a call.
// Watch objects may outlive it. Threads: every function may be called from any thread at once.
// Callbacks of watches run on one thread of the store, with no lock held: they may call the store,
// but while one runs no other watch is served, and they must not destroy the store.
#pragma once

#include "base/op.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace volplugin::kv {

struct Revision {
  std::uint64_t value = 0;  // 0: before the first change
  auto operator<=>(const Revision&) const = default;
};

struct Entry {
  std::string key;
  std::string value;
  Revision revision;  // of the last change of this key
};

struct Page {
  std::vector<Entry> entries;  // ascending by key
  bool more = false;           // there are entries behind the last one: list on after its key
  Revision revision;           // the store's revision that this page shows
};

// What must hold, before the changes, for a transaction to happen. AtRevision of revision 0: Absent.
struct Absent {
  std::string key;
};
struct AtRevision {
  std::string key;
  Revision revision;
};
using Guard = std::variant<Absent, AtRevision>;

// From grant(). Never given out twice.
struct LeaseId {
  std::uint64_t value = 0;  // 0: none
  auto operator<=>(const LeaseId&) const = default;
};

struct Put {  // a change even if the value stays the same
  std::string key;
  std::string value;
  LeaseId lease{};  // the key hangs on this one from now on, and on no other
};
struct Erase {  // of an absent key: no change, no error
  std::string key;
};
using Change = std::variant<Put, Erase>;

// Of several changes of one key only the last counts, as if the others were not there. All entries
// changed by a transaction get its revision.
struct Txn {
  std::vector<Guard> guards;
  std::vector<Change> changes;
};

struct Event {
  std::string key;
  std::optional<std::string> value;  // nullopt: erased
  Revision revision;
};

struct WatchBatch {
  std::vector<Event> events;  // complete for the revisions it covers; never empty; one per key and revision
  Revision revision;          // everything up to here has been delivered
  // The events are all entries under the prefix as of `revision`, possibly none; other keys are gone.
  // The revision is lower than before only when the store was restored from a backup.
  bool snapshot = false;
};

// Ends the watch when destroyed; blocks until a running callback has returned, then destroys the
// callback. Destroyed inside its own callback it does not block, and that callback is the last one.
class Watch {
 public:
  virtual ~Watch() = default;
};

// Reads everything under a prefix, page by page. Ends before its store. One thread.
class Scan {
 public:
  virtual ~Scan() = default;

  // Blocks. The next entries, ascending by key; `more`: call again. A page may be empty. Each page is one
  // consistent snapshot, and none is older than the one before. EtcdStore: all are of one revision, while
  // etcd has its history; the others have no history to read from. After an error the same page is read
  // again. Errors: those of Store::get.
  virtual Result<Page> next(const Op& op) = 0;
};

class Store {
 public:
  // Limits every implementation enforces with invalid_argument.
  static constexpr size_t kMaxKeyBytes = 1024;
  static constexpr size_t kMaxValueBytes = 1024 * 1024;  // etcd refuses 1.5 MiB
  static constexpr size_t kMaxChanges = 100;             // and guards; etcd refuses 129 in a transaction
  static constexpr size_t kMaxTxnBytes = 1280 * 1024;    // its keys and values; etcd refuses 1.5 MiB
  static constexpr size_t kMaxPage = 10'000;
  static constexpr size_t kMaxPageBytes = 16 * 1024 * 1024;  // a page ends early here, with `more` set
  static constexpr Millis kMinLease{2'000};
  static constexpr Millis kMaxLease{24 * 3'600'000};

  virtual ~Store() = default;

  // Blocks. Returns nullopt for an absent key. Errors: deadline_exceeded, unavailable, corrupt.
  virtual Result<std::optional<Entry>> get(const Op& op, const std::string& key) = 0;

  // Blocks. Entries whose key starts with `prefix` and is greater than `after`, at most `limit`
  // (1..kMaxPage); fewer if they are large (kMaxPageBytes). One page is one consistent snapshot.
  // An empty prefix means all keys. For a few entries: all that are behind cost, too. Errors: as get.
  virtual Result<Page> list(const Op& op, const std::string& prefix, const std::string& after,
                            size_t limit) = 0;

  // Does not block. For many entries: what it costs grows with their number, and memory does not. `prefix`
  // as in list().
  virtual std::unique_ptr<Scan> scan(const std::string& prefix);

  // Blocks until durable. Returns the new revision (the current one if nothing changed).
  // Errors: conflict (a guard does not hold; nothing changed), not_found (a lease that a Put names has
  // ended, and the guards hold; nothing changed), invalid_argument (limits),
  // resource_exhausted (disk full; nothing changed), corrupt, cancelled; deadline_exceeded and
  // unavailable with Effect::unknown when the outcome is not known, Effect::none when it certainly
  // did not happen.
  virtual Result<Revision> commit(const Op& op, const Txn& txn) = 0;

  // Does not wait for commits. Calls `on_batch` for every change of keys under `prefix` after revision
  // `from`; it must not throw. Errors: invalid_argument when history after `from` has been compacted or
  // `from` lies ahead of the store, as after restoring a backup (list again, then watch); unavailable.
  virtual Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from,
                                               std::function<void(const WatchBatch&)> on_batch) = 0;

  // Does not wait for commits. The latest revision. Errors: as get.
  virtual Result<Revision> revision(const Op& op) = 0;

  // Blocks until durable. A lease that ends `ttl` (kMinLease..kMaxLease, rounded up to whole seconds)
  // after this or the last keep_alive(). It may end later, by seconds; its keys are erased in one change.
  // Errors: invalid_argument, else those of commit. (Effect::unknown: one may be there that nobody knows;
  // it ends by itself.)
  virtual Result<LeaseId> grant(const Op& op, Millis ttl) = 0;

  // Blocks. The lease has its full time again, which is returned. Errors: not_found (it has ended, or is
  // about to: what hung on it is gone or going), else those of get.
  virtual Result<Millis> keep_alive(const Op& op, LeaseId lease) = 0;

  // Blocks until durable. Ends the lease now. Idempotent: of one that has ended it is success.
  // Errors: those of commit.
  virtual Result<> revoke(const Op& op, LeaseId lease) = 0;
};

}  // namespace volplugin::kv
