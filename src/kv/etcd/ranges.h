// SPDX-License-Identifier: Apache-2.0
// Ranges: the reads of an EtcdStore. Keys of callers and keys in etcd differ by the store's root,
// "/volplugin/"; only this folder sees the latter.
#pragma once

#include "kv/etcd/client.h"
#include "kv/etcd/stride.h"
#include "kv/store.h"

#include <memory>
#include <optional>
#include <string>

namespace volplugin::kv {

class Ranges {
 public:
  // `client` must outlive this object.
  Ranges(Client& client, std::string root) : client_(client), root_(std::move(root)) {}

  // As those of Store.
  Result<std::optional<Entry>> get(const Op& op, const std::string& key);
  Result<Page> list(const Op& op, const std::string& prefix, const std::string& after, size_t limit);
  Result<Revision> revision(const Op& op);
  std::unique_ptr<Scan> scan(const std::string& prefix);

  // All entries under `prefix`, at one revision.
  Result<Page> snapshot(const Op& op, const std::string& prefix);
  // Errors: invalid_argument when a watch cannot start after `from`.
  Result<> check_watch_start(const Op& op, Revision from);

  const std::string& root() const { return root_; }

 private:
  // Over keys in their order: where it stands, and what it has learned.
  struct Walk {
    Stride stride;
    size_t chunk;                          // entries to ask for, as large as they were so far
    Millis each_try;                       // see Client::read()
    Revision revision{};                   // 0: that of the next answer
    std::uint64_t count = 0;               // of the keys that the last request was for
    std::uint64_t entries = 0, bytes = 0;  // so far
  };
  static constexpr Millis kLongTry{8'000};  // etcd may have a million keys to look at
  class WholeScan;

  Walk begin(const std::string& prefix, const std::string& after, Millis each_try) const;
  Result<> step(const Op& op, Walk& walk, size_t most, Page& page);
  Result<Page> list_once(const Op& op, const std::string& prefix, const std::string& after, size_t limit);
  Result<Page> snapshot_once(const Op& op, const std::string& prefix);
  template <class Attempt>
  Result<Page> uncompacted(const std::string& prefix, Attempt attempt);
  Result<etcdserverpb::RangeResponse> range(const Op& op, const etcdserverpb::RangeRequest& request,
                                            std::string_view doing, Millis each_try = Client::kTry);

  Client& client_;
  const std::string root_;
};

inline Revision revision_of(const etcdserverpb::ResponseHeader& header) {
  return Revision{std::uint64_t(header.revision())};
}

}  // namespace volplugin::kv
