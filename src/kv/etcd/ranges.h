// SPDX-License-Identifier: Apache-2.0
// Ranges: the reads of an EtcdStore. Keys of callers and keys in etcd differ by the store's root,
// "/volplugin/"; only this folder sees the latter.
#pragma once

#include "kv/etcd/client.h"
#include "kv/store.h"

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

  // All entries under `prefix`, at one revision.
  Result<Page> snapshot(const Op& op, const std::string& prefix);
  // Errors: invalid_argument when a watch cannot start after `from`.
  Result<> check_watch_start(const Op& op, Revision from);

  const std::string& root() const { return root_; }

 private:
  struct Query {
    const std::string& prefix;
    const std::string& after;
    size_t entries;
    size_t bytes;
  };
  Result<Page> pages(const Op& op, const Query& query);
  Result<Page> pages_at_once(const Op& op, const Query& query);
  Result<etcdserverpb::RangeResponse> range(const Op& op, const etcdserverpb::RangeRequest& request,
                                            std::string_view doing);

  Client& client_;
  const std::string root_;
};

inline Revision revision_of(const etcdserverpb::ResponseHeader& header) {
  return Revision{std::uint64_t(header.revision())};
}

}  // namespace volplugin::kv
