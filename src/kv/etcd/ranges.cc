// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/ranges.h"

#include "kv/rules.h"

#include <algorithm>

namespace volplugin::kv {
namespace {

// A message holds as many entries as are asked for, of whatever size: the first one is small, and the
// next ones are as large as the entries seen so far allow.
constexpr size_t kFirstChunk = Store::kMaxPageBytes / Store::kMaxValueBytes;
constexpr size_t kGrowth = 16;
constexpr size_t kMessageBytes = 2 * 1024 * 1024;  // in the time of one try also over a slow network
constexpr int kMaxTries = 5;                 // of what has to be of one revision, and is compacted under it
constexpr std::uint64_t kFirstRevision = 1;  // etcd has it before anything was put

// The last message may have been more than a page may hold.
void trim(Page& page) {
  size_t bytes = 0, kept = 0;
  for (; kept < page.entries.size() && bytes < Store::kMaxPageBytes; ++kept)
    bytes += page.entries[kept].key.size() + page.entries[kept].value.size();
  page.entries.resize(kept);
}

}  // namespace

Result<etcdserverpb::RangeResponse> Ranges::range(const Op& op, const etcdserverpb::RangeRequest& request,
                                                  std::string_view doing, Millis each_try) {
  etcdserverpb::RangeResponse response;
  TRY(client_.read(
      op, doing,
      [&](Member& member, grpc::ClientContext& context) {
        return member.kv->Range(&context, request, &response);
      },
      each_try));
  return response;
}

Result<std::optional<Entry>> Ranges::get(const Op& op, const std::string& key) {
  etcdserverpb::RangeRequest request;
  request.set_key(root_ + key);
  auto response = TRY(range(op, request, "reading a key"));
  if (response.kvs().empty()) return std::optional<Entry>();
  auto& found = *response.mutable_kvs(0);
  return std::optional<Entry>(
      {key, std::move(*found.mutable_value()), Revision{std::uint64_t(found.mod_revision())}});
}

Result<Revision> Ranges::revision(const Op& op) {
  etcdserverpb::RangeRequest request;
  request.set_key(root_);
  request.set_count_only(true);
  return revision_of(TRY(range(op, request, "reading the revision")).header());
}

Ranges::Walk Ranges::begin(const std::string& prefix, const std::string& after, Millis each_try) const {
  const std::string all = root_ + prefix;
  return {{root_ + first_key(prefix, after), end_key(all), all.size()}, kFirstChunk, each_try};
}

// One request: adds at most `most` entries to the page. Nothing has changed after an error.
Result<> Ranges::step(const Op& op, Walk& walk, size_t most, Page& page) {
  etcdserverpb::RangeRequest request;
  request.set_key(walk.stride.from());
  request.set_range_end(walk.stride.bound());
  request.set_limit(std::int64_t(std::min(walk.chunk, most)));
  request.set_revision(std::int64_t(walk.revision.value));
  auto response = TRY(range(op, request, "listing keys", walk.each_try));
  auto& found = *response.mutable_kvs();
  if (walk.revision.value == 0) walk.revision = revision_of(response.header());
  page.revision = walk.revision;
  page.entries.reserve(page.entries.size() + size_t(found.size()));
  walk.count =
      std::max(std::uint64_t(response.count()), std::uint64_t(found.size()) + (response.more() ? 1 : 0));
  Stride::Answer answer{"", "", std::uint64_t(found.size()), response.more(), walk.count, walk.chunk};
  if (!found.empty()) answer.first = found[0].key(), answer.last = found[found.size() - 1].key();
  walk.stride.take(answer);
  for (auto& kv : found) {
    walk.bytes += kv.key().size() - root_.size() + kv.value().size();
    page.entries.push_back({kv.key().substr(root_.size()), std::move(*kv.mutable_value()),
                            Revision{std::uint64_t(kv.mod_revision())}});
  }
  walk.entries += std::uint64_t(found.size());
  if (walk.entries > 0)
    walk.chunk = std::clamp<size_t>(kMessageBytes / (walk.bytes / walk.entries + 1), 1, walk.chunk * kGrowth);
  return {};
}

// `attempt` reads a Page of one revision, and fails when that is compacted meanwhile.
template <class Attempt>
Result<Page> Ranges::uncompacted(const std::string& prefix, Attempt attempt) {
  for (int tries = 1;; ++tries) {
    Result<Page> page = attempt();
    if (page || page.error().code != Code::invalid_argument) return page;
    if (tries < kMaxTries) continue;
    return make_error(Code::unavailable,
                      fmt::format("the history is compacted too fast to list '{}'", printable(prefix)));
  }
}

Result<Page> Ranges::list(const Op& op, const std::string& prefix, const std::string& after, size_t limit) {
  return uncompacted(prefix, [&] { return list_once(op, prefix, after, limit); });
}

Result<Page> Ranges::list_once(const Op& op, const std::string& prefix, const std::string& after,
                               size_t limit) {
  Page page;
  Walk walk = begin(prefix, after, Client::kTry);
  if (walk.stride.done()) {
    page.revision = TRY(revision(op));
    return page;
  }
  std::uint64_t all = 0;  // from the beginning of the page: what the first request is for
  do {
    TRY(step(op, walk, limit - page.entries.size(), page));
    if (all == 0) all = walk.count;
  } while (!walk.stride.done() && page.entries.size() < limit && walk.bytes < Store::kMaxPageBytes);
  trim(page);
  page.more = page.entries.size() < all;
  return page;
}

// One message is a page, so that no more than that is in memory.
class Ranges::WholeScan final : public Scan {
 public:
  WholeScan(Ranges& ranges, const std::string& prefix)
      : ranges_(ranges), walk_(ranges.begin(prefix, "", kLongTry)) {}

  Result<Page> next(const Op& op) override {
    Page page;
    page.revision = walk_.revision;
    while (page.entries.empty() && !walk_.stride.done()) {
      auto done = ranges_.step(op, walk_, Store::kMaxPage, page);
      if (!done && done.error().code == Code::invalid_argument && walk_.revision.value != 0)
        walk_.revision = {};  // compacted: from here on a newer one
      else
        TRY(std::move(done));
    }
    page.more = !walk_.stride.done();
    return page;
  }

 private:
  Ranges& ranges_;
  Walk walk_;
};

std::unique_ptr<Scan> Ranges::scan(const std::string& prefix) {
  return std::make_unique<WholeScan>(*this, prefix);
}

Result<Page> Ranges::snapshot(const Op& op, const std::string& prefix) {
  return uncompacted(prefix, [&] { return snapshot_once(op, prefix); });
}

Result<Page> Ranges::snapshot_once(const Op& op, const std::string& prefix) {
  Page page;
  Walk walk = begin(prefix, "", kLongTry);
  while (!walk.stride.done()) TRY(step(op, walk, Store::kMaxPage, page));
  return page;
}

// etcd would create the watch and tell of compaction up to 100 ms later, and of a start in the future
// never; a read of that revision fails for both at once.
Result<> Ranges::check_watch_start(const Op& op, Revision from) {
  etcdserverpb::RangeRequest request;
  request.set_key(root_);
  request.set_count_only(true);
  request.set_revision(std::int64_t(std::max(from.value, kFirstRevision)));
  const auto response = range(op, request, "starting a watch");
  if (!response && response.error().code == Code::invalid_argument)
    return make_error(
        Code::invalid_argument,
        fmt::format("a watch from revision {}: {}: list again and watch from the listed revision", from.value,
                    response.error().message));
  TRY(response);
  return {};
}

}  // namespace volplugin::kv
