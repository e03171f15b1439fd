// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/ranges.h"

#include "kv/rules.h"

#include <algorithm>
#include <limits>

namespace volplugin::kv {
namespace {

// A message holds as many entries as are asked for, of whatever size: the first one is small, and the
// next ones are as large as the entries seen so far allow.
constexpr size_t kFirstChunk = 128;
constexpr size_t kGrowth = 16;
constexpr size_t kMessageBytes = 8 * 1024 * 1024;
constexpr int kMaxTries = 5;                 // of a list whose revision is compacted under it
constexpr std::uint64_t kFirstRevision = 1;  // etcd has it before anything was put

size_t next_chunk(size_t chunk, size_t entries, size_t bytes) {
  const size_t average = bytes / entries + 1;
  return std::clamp<size_t>(kMessageBytes / average, 1, chunk * kGrowth);
}

}  // namespace

Result<etcdserverpb::RangeResponse> Ranges::range(const Op& op, const etcdserverpb::RangeRequest& request,
                                                  std::string_view doing) {
  etcdserverpb::RangeResponse response;
  TRY(client_.read(op, doing, [&](Member& member, grpc::ClientContext& context) {
    return member.kv->Range(&context, request, &response);
  }));
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

Result<Page> Ranges::list(const Op& op, const std::string& prefix, const std::string& after, size_t limit) {
  return pages(op, {prefix, after, limit, Store::kMaxPageBytes});
}

Result<Page> Ranges::snapshot(const Op& op, const std::string& prefix) {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  return pages(op, {prefix, "", kAll, kAll});
}

Result<Page> Ranges::pages(const Op& op, const Query& query) {
  for (int tries = 1;; ++tries) {
    auto page = pages_at_once(op, query);
    // Compacted between the first and the last request of one list.
    if (page || page.error().code != Code::invalid_argument) return page;
    if (tries < kMaxTries) continue;
    return make_error(Code::unavailable,
                      fmt::format("the history is compacted too fast to list '{}'", printable(query.prefix)));
  }
}

Result<Page> Ranges::pages_at_once(const Op& op, const Query& query) {
  Page page;
  size_t bytes = 0, chunk = kFirstChunk;
  etcdserverpb::RangeRequest request;
  request.set_key(root_ + first_key(query.prefix, query.after));
  request.set_range_end(end_key(root_ + query.prefix));
  if (request.key() >= request.range_end()) {
    page.revision = TRY(revision(op));
    return page;
  }
  do {
    request.set_limit(std::int64_t(std::min(chunk, query.entries - page.entries.size())));
    auto response = TRY(range(op, request, "listing keys"));
    if (request.revision() == 0) {
      page.revision = revision_of(response.header());
      request.set_revision(response.header().revision());
    }
    page.more = response.more();
    for (auto& kv : *response.mutable_kvs()) {
      if (bytes >= query.bytes) {
        page.more = true;
        return page;
      }
      bytes += kv.key().size() - root_.size() + kv.value().size();
      page.entries.push_back({kv.key().substr(root_.size()), std::move(*kv.mutable_value()),
                              Revision{std::uint64_t(kv.mod_revision())}});
    }
    if (page.entries.empty()) break;
    request.set_key(root_ + page.entries.back().key + '\0');
    chunk = next_chunk(chunk, page.entries.size(), bytes);
  } while (page.more && page.entries.size() < query.entries && bytes < query.bytes);
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
