// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/writer.h"

#include "kv/rules.h"

#include <algorithm>

namespace volplugin::kv {
namespace {

constexpr std::uint64_t kMaxStepsAtOnce = 4;  // of history forgotten in one commit

// A job's own failure: it changed nothing and the others may go on.
bool concerns_job_only(const Error& error) {
  return error.code == Code::conflict || error.code == Code::not_found;
}

// Whether COMMIT failed without doing anything. A full disk fails while the log is written, before
// the record that makes it valid; SQLITE_BUSY comes before everything.
bool certainly_not_committed(int code) {
  return (code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY;
}

}  // namespace

Writer::Writer(Database database, HistoryPolicy policy, Compactable compactable)
    : connection_(std::move(database.connection)),
      policy_(policy),
      compactable_(std::move(compactable)),
      committed_{database.revision, database.compacted} {}

Result<std::unique_ptr<Writer>> Writer::open(Database database, HistoryPolicy policy,
                                             Compactable compactable) {
  std::unique_ptr<Writer> writer(new Writer(std::move(database), policy, std::move(compactable)));
  TRY(writer->prepare());
  return writer;
}

Result<> Writer::prepare() {
  begin_ = TRY(connection_.prepare("BEGIN IMMEDIATE"));
  commit_ = TRY(connection_.prepare("COMMIT"));
  find_ = TRY(connection_.prepare("SELECT revision FROM kv WHERE key = ?1"));
  put_ =
      TRY(connection_.prepare("INSERT INTO kv (key, value, revision, lease) VALUES (?1, ?2, ?3, ?4) "
                              "ON CONFLICT (key) DO UPDATE SET value = ?2, revision = ?3, lease = ?4"));
  erase_ = TRY(connection_.prepare("DELETE FROM kv WHERE key = ?1"));
  event_ = TRY(connection_.prepare("INSERT INTO events (revision, seq, key, value) VALUES (?1, ?2, ?3, ?4)"));
  forget_ = TRY(connection_.prepare("DELETE FROM events WHERE revision <= ?1"));
  update_ = TRY(connection_.prepare("UPDATE meta SET revision = ?1, compacted = ?2"));
  grant_ = TRY(connection_.prepare("INSERT INTO leases (ttl_ms) VALUES (?1) RETURNING id"));
  find_lease_ = TRY(connection_.prepare("SELECT 1 FROM leases WHERE id = ?1"));
  lease_keys_ = TRY(connection_.prepare("SELECT key FROM kv WHERE lease = ?1 ORDER BY key"));
  end_lease_ = TRY(connection_.prepare("DELETE FROM leases WHERE id = ?1"));
  return {};
}

void Writer::execute(std::span<Job* const> jobs) {
  const Result<> done = attempt(jobs);
  if (done || done.error().code != Code::resource_exhausted) return settle(jobs, done);
  // The disk is full. Moving the log into the database lets its space be used again, and what does not
  // fit together may fit alone: a large job must not fail the small ones beside it.
  connection_.checkpoint();
  for (Job* const& job : jobs) settle({&job, 1}, attempt({&job, 1}));
}

void Writer::settle(std::span<Job* const> jobs, const Result<>& done) {
  if (done) return;  // attempt() has set the results
  for (Job* job : jobs) {
    const Effect effect = job->result ? done.error().effect : Effect::none;  // its guards failed
    job->result = done.error();
    job->result.error().effect = effect;
  }
}

Result<> Writer::attempt(std::span<Job* const> jobs) {
  if (refusing_) return *refusing_;
  TRY_CTX(Query(begin_).run(), "beginning a transaction");
  const Result<Position> position = apply_all(jobs);
  if (position && *position != committed_) return commit(*position);
  // Nothing to store, or an error before COMMIT: either way nothing must remain.
  if (const Result<> undone = connection_.roll_back(); !undone) refuse(undone.error());
  if (!position) return position.error();
  return {};
}

Result<Writer::Position> Writer::apply_all(std::span<Job* const> jobs) {
  Position position = committed_;
  for (Job* job : jobs) {
    const Result<> applied = apply(*job, position);
    if (applied)
      job->result = Revision{position.revision};
    else if (concerns_job_only(applied.error()))
      job->result = applied.error();
    else
      return applied.error();
  }
  if (position.revision == committed_.revision) return position;
  TRY(compact(position));
  TRY(Query(update_).bind(1, position.revision).bind(2, position.compacted).run());
  return position;
}

Result<> Writer::apply(Job& job, Position& position) {
  if (const auto* txn = std::get_if<const Txn*>(&job.work)) return apply_txn(**txn, position);
  if (const auto* ending = std::get_if<EndLease>(&job.work)) return end(ending->lease, position);
  return grant(job, position);
}

// What concerns this job only is found before its first change.
Result<> Writer::apply_txn(const Txn& txn, Position& position) {
  for (const Guard& guard : txn.guards) TRY(check_guard(guard, TRY(revision_of(key_of(guard)))));
  const auto changes = effective_changes(txn);
  for (const Change* change : changes) TRY(check_lease(lease_of(*change)));
  std::uint64_t seq = 0;
  for (const Change* change : changes)
    if (TRY(apply(*change, position.revision + 1, seq))) ++seq;
  if (seq > 0) ++position.revision;
  return {};
}

Result<> Writer::check_lease(LeaseId lease) {
  if (lease.value == 0) return {};
  Query query(find_lease_);
  if (!TRY(query.bind(1, lease.value).step())) return lease_ended(lease);
  return {};
}

Result<> Writer::grant(Job& job, Position& position) {
  Query query(grant_);
  query.bind(1, std::uint64_t(std::get<GrantLease>(job.work).ttl.count()));
  if (!TRY(query.step())) return make_error(Code::corrupt, "a new lease has no id");
  job.granted = LeaseId{query.number(0)};
  TRY(query.run());
  ++position.lease_changes;
  return {};
}

Result<> Writer::end(LeaseId lease, Position& position) {
  std::vector<Change> changes;
  {
    Query query(lease_keys_);
    query.bind(1, lease.value);
    while (TRY(query.step())) changes.emplace_back(Erase{query.bytes(0)});
  }
  std::uint64_t seq = 0;
  for (const Change& change : changes)
    if (TRY(apply(change, position.revision + 1, seq))) ++seq;
  if (seq > 0) ++position.revision;
  TRY(Query(end_lease_).bind(1, lease.value).run());
  position.lease_changes += connection_.rows_changed();
  return {};
}

Result<std::optional<Revision>> Writer::revision_of(const std::string& key) {
  Query query(find_);
  if (!TRY(query.bind(1, key).step())) return std::optional<Revision>();
  return std::optional(Revision{query.number(0)});
}

Result<bool> Writer::apply(const Change& change, std::uint64_t revision, std::uint64_t seq) {
  const std::string& key = key_of(change);
  const auto* put = std::get_if<Put>(&change);
  if (put != nullptr) {
    Query query(put_);
    query.bind(1, key).bind(2, put->value).bind(3, revision);
    if (put->lease.value != 0)
      query.bind(4, put->lease.value);
    else
      query.bind_null(4);
    TRY(query.run());
  } else {
    TRY(Query(erase_).bind(1, key).run());
    if (connection_.rows_changed() == 0) return false;
  }
  Query event(event_);
  event.bind(1, revision).bind(2, seq).bind(3, key);
  if (put != nullptr)
    event.bind(4, put->value);
  else
    event.bind_null(4);
  TRY(event.run());
  return true;
}

Result<> Writer::compact(Position& position) {
  if (position.revision <= position.compacted + policy_.keep + policy_.step) return {};
  // Not too much at once, when a watcher held back a lot: the callers are waiting.
  const std::uint64_t wanted =
      std::min(position.revision - policy_.keep, position.compacted + kMaxStepsAtOnce * policy_.step);
  const std::uint64_t floor = compactable_(Revision{wanted}).value;
  if (floor <= position.compacted) return {};
  TRY(Query(forget_).bind(1, floor).run());
  position.compacted = floor;
  return {};
}

Result<> Writer::commit(const Position& position) {
  const Result<> done = Query(commit_).run();
  if (done) {
    committed_ = position;
    return {};
  }
  const int code = connection_.last_code();
  const Result<> undone = connection_.roll_back();
  if (certainly_not_committed(code) && undone) return done;
  refuse(done.error());
  return make_error(Code::unavailable,
                    fmt::format("it is unknown whether the commit happened: {}", done.error().message),
                    Effect::unknown);
}

void Writer::refuse(const Error& reason) {
  refusing_ =
      make_error(Code::unavailable,
                 fmt::format("the store refuses commits until volplugin is restarted, after this error: {}",
                             reason.message));
}

}  // namespace volplugin::kv
