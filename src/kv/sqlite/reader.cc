// SPDX-License-Identifier: Apache-2.0
#include "kv/sqlite/reader.h"

#include "kv/rules.h"

namespace volplugin::kv {
namespace {

constexpr size_t kMaxReaders = 4;  // a point read takes microseconds; more would only cost memory

}  // namespace

Result<std::unique_ptr<Reader>> Reader::open(const std::string& path) {
  Connection connection = TRY_CTX(Connection::open(path, Connection::Mode::read_only), "reading '{}'", path);
  std::unique_ptr<Reader> reader(new Reader(std::move(connection)));
  TRY_CTX(reader->prepare(), "reading '{}'", path);
  return reader;
}

Result<> Reader::prepare() {
  begin_ = TRY(connection_.prepare("BEGIN"));
  get_ = TRY(connection_.prepare("SELECT value, revision FROM kv WHERE key = ?1"));
  list_ = TRY(
      connection_.prepare("SELECT key, value, revision FROM kv WHERE key >= ?1 AND key < ?2 ORDER BY key"));
  revision_ = TRY(connection_.prepare("SELECT revision FROM meta"));
  events_ =
      TRY(connection_.prepare("SELECT revision, key, value FROM events WHERE revision > ?1 "
                              "ORDER BY revision, seq"));
  return {};
}

Result<std::optional<Entry>> Reader::get(const std::string& key) {
  Query query(get_);
  if (!TRY(query.bind(1, key).step())) return std::optional<Entry>();
  return std::optional<Entry>({key, query.bytes(0), Revision{query.number(1)}});
}

Result<Revision> Reader::revision() {
  Query query(revision_);
  if (!TRY(query.step())) return make_error(Code::corrupt, "the store's meta table is empty");
  return Revision{query.number(0)};
}

Result<Page> Reader::list(const std::string& prefix, const std::string& after, size_t limit) {
  TRY(Query(begin_).run());
  Result<Page> page = list_snapshot(prefix, after, limit);
  TRY(connection_.roll_back());
  return page;
}

Result<Page> Reader::list_snapshot(const std::string& prefix, const std::string& after, size_t limit) {
  Page page;
  page.revision = TRY(revision());
  const std::string first = first_key(prefix, after), end = end_key(prefix);
  Query query(list_);
  query.bind(1, first).bind(2, end);
  size_t bytes = 0;
  while (TRY(query.step())) {
    if (page.entries.size() == limit || bytes >= Store::kMaxPageBytes) {
      page.more = true;
      break;
    }
    Entry entry{query.bytes(0), query.bytes(1), Revision{query.number(2)}};
    bytes += entry.key.size() + entry.value.size();
    page.entries.push_back(std::move(entry));
  }
  return page;
}

Result<WatchBatch> Reader::events(Revision after) {
  TRY(Query(begin_).run());
  Result<WatchBatch> batch = events_snapshot(after);
  TRY(connection_.roll_back());
  return batch;
}

Result<WatchBatch> Reader::events_snapshot(Revision after) {
  WatchBatch batch;
  batch.revision = TRY(revision());
  Query query(events_);
  query.bind(1, after.value);
  size_t bytes = 0;
  while (TRY(query.step())) {
    const Revision revision{query.number(0)};
    if ((batch.events.size() >= History::kMaxEvents || bytes >= History::kMaxBytes) &&
        revision != batch.events.back().revision) {
      batch.revision = batch.events.back().revision;
      break;
    }
    Event event{query.bytes(1), std::nullopt, revision};
    if (!query.is_null(2)) event.value = query.bytes(2);
    bytes += event.key.size() + (event.value ? event.value->size() : 0);
    batch.events.push_back(std::move(event));
  }
  return batch;
}

Result<ReaderPool::Lease> ReaderPool::acquire(const Op& op) {
  std::unique_lock lock(mutex_);
  const auto free = [&] { return !idle_.empty() || leased_ < kMaxReaders; };
  do {
    TRY(op.check("waiting to read"));
  } while (!returned_.wait_for(lock, op.stop(), op.remaining() + Millis(1), free));
  ++leased_;
  if (!idle_.empty()) {
    auto reader = std::move(idle_.back());
    idle_.pop_back();
    return Lease(*this, std::move(reader));
  }
  lock.unlock();
  auto reader = Reader::open(path_);
  if (!reader) {
    give_back(nullptr);
    return reader.error();
  }
  return Lease(*this, std::move(*reader));
}

void ReaderPool::give_back(std::unique_ptr<Reader> reader) {
  const std::lock_guard lock(mutex_);
  --leased_;
  if (reader) idle_.push_back(std::move(reader));
  returned_.notify_one();
}

ReaderPool::Lease::~Lease() {
  if (reader_) pool_->give_back(std::move(reader_));
}

}  // namespace volplugin::kv
