// SPDX-License-Identifier: Apache-2.0
// EtcdStore: the Store contract on a cluster of etcd 3.4 or 3.5, for several hosts. Any number of
// processes may open it. Durable: a commit that returned is on disk at most members.
// All keys are under one prefix; the revision is that of the whole etcd.
// History: commits compact etcd, when as many revisions as the policy says have come since the last time.
// That concerns all of etcd, so it should not be shared with programs that need its history.
// Threads: "kv-watch" (Watches) and gRPC's own.
#pragma once

#include "base/clock.h"
#include "kv/history.h"

#include <memory>
#include <string>
#include <vector>

namespace volplugin::kv {

struct EtcdSettings {
  std::vector<std::string> endpoints;  // "http://host:port" or "https://host:port", one for each member
  std::string prefix = "/volplugin";
  std::string user;  // empty: none
  std::string password;
  // Files in PEM; read by open(). Only with https. Without a CA those of the system are trusted.
  std::string ca_file;
  std::string cert_file;  // with key_file: of this client
  std::string key_file;
};

class EtcdStore final : public Store {
 public:
  // Does not connect: a cluster that is down makes calls fail (unavailable) until it is up.
  // `clock` must outlive the store. Errors: invalid_argument, and those of reading the files.
  static Result<std::unique_ptr<EtcdStore>> open(const EtcdSettings& settings, const Clock& clock,
                                                 HistoryPolicy policy = {});
  ~EtcdStore() override;

  Result<std::optional<Entry>> get(const Op& op, const std::string& key) override;
  Result<Page> list(const Op& op, const std::string& prefix, const std::string& after, size_t limit) override;
  std::unique_ptr<Scan> scan(const std::string& prefix) override;
  Result<Revision> commit(const Op& op, const Txn& txn) override;
  Result<std::unique_ptr<Watch>> watch(const std::string& prefix, Revision from,
                                       std::function<void(const WatchBatch&)> on_batch) override;
  Result<Revision> revision(const Op& op) override;
  Result<LeaseId> grant(const Op& op, Millis ttl) override;
  Result<Millis> keep_alive(const Op& op, LeaseId lease) override;
  Result<> revoke(const Op& op, LeaseId lease) override;

 private:
  struct Parts;

  explicit EtcdStore(std::unique_ptr<Parts> parts);
  void compact(const Op& op, Revision current);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace volplugin::kv
