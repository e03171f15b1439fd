// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/etcd_store.h"

#include "kv/etcd/endpoint.h"
#include "kv/etcd/ranges.h"
#include "kv/etcd/transaction.h"
#include "kv/etcd/watches.h"
#include "kv/rules.h"

#include <cerrno>
#include <fstream>
#include <sstream>

#include <grpc/support/log.h>

namespace volplugin::kv {
namespace {

constexpr Millis kWatchStart{5'000};
constexpr Millis kCompaction{2'000};

// etcd itself takes at most 1.5 MiB; a file that is no certificate must not be read into memory.
constexpr std::streamsize kMaxPemBytes = 1024 * 1024;

Result<std::string> read_pem(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  if (!file) return errno_error(errno, fmt::format("opening '{}'", path));
  std::string text(size_t(kMaxPemBytes), '\0');
  file.read(text.data(), kMaxPemBytes);
  text.resize(size_t(file.gcount()));
  if (text.find("-----BEGIN ") == text.npos)
    return make_error(Code::invalid_argument, fmt::format("'{}' holds nothing in PEM", path));
  return text;
}

Result<Client::Settings> client_settings(const EtcdSettings& settings, const std::string& root) {
  Client::Settings result;
  if (settings.endpoints.empty()) return make_error(Code::invalid_argument, "no endpoint of etcd is given");
  bool tls = false;
  for (const auto& text : settings.endpoints) {
    result.endpoints.push_back(TRY(parse_endpoint(text)));
    tls |= result.endpoints.back().tls;
  }
  if (settings.cert_file.empty() != settings.key_file.empty())
    return make_error(Code::invalid_argument,
                      "a client certificate needs its key, and a key its certificate");
  if (!tls && !(settings.ca_file.empty() && settings.cert_file.empty()))
    return make_error(Code::invalid_argument, "certificates are given, but no endpoint is https://");
  if (settings.user.empty() && !settings.password.empty())
    return make_error(Code::invalid_argument, "a password is given, but no user");
  result.probe_key = root;
  result.user = settings.user;
  result.password = settings.password;
  result.tls.pem_root_certs = TRY_CTX(read_pem(settings.ca_file), "CA of etcd");
  result.tls.pem_cert_chain = TRY_CTX(read_pem(settings.cert_file), "certificate for etcd");
  result.tls.pem_private_key = TRY_CTX(read_pem(settings.key_file), "key for etcd");
  return result;
}

}  // namespace

// Destroyed from the last to the first.
struct EtcdStore::Parts {
  Parts(Client::Settings settings, const std::string& root, const Clock& clock, HistoryPolicy keeps)
      : client(std::move(settings), clock), ranges(client, root), policy(keeps), watches(client, ranges) {}

  Client client;
  Ranges ranges;
  const HistoryPolicy policy;
  std::atomic<std::uint64_t> compacted{0};  // up to here this store asked for it; 0: not yet known
  Watches watches;
};

EtcdStore::EtcdStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

EtcdStore::~EtcdStore() = default;

Result<std::unique_ptr<EtcdStore>> EtcdStore::open(const EtcdSettings& settings, const Clock& clock,
                                                   HistoryPolicy policy) {
  // What gRPC would write to standard error is in the errors it returns.
  gpr_set_log_function([](gpr_log_func_args*) {});
  const std::string root = TRY(parse_prefix(settings.prefix)) + "/";
  auto parts = std::make_unique<Parts>(TRY(client_settings(settings, root)), root, clock, policy);
  return std::unique_ptr<EtcdStore>(new EtcdStore(std::move(parts)));
}

Result<std::optional<Entry>> EtcdStore::get(const Op& op, const std::string& key) {
  TRY(check_key(key));
  return parts_->ranges.get(op, key);
}

Result<Page> EtcdStore::list(const Op& op, const std::string& prefix, const std::string& after,
                             size_t limit) {
  TRY(check_page_limit(limit));
  return parts_->ranges.list(op, prefix, after, limit);
}

std::unique_ptr<Scan> EtcdStore::scan(const std::string& prefix) {
  return parts_->ranges.scan(prefix);
}

Result<Revision> EtcdStore::commit(const Op& op, const Txn& txn) {
  TRY(check_limits(txn));
  const auto request = request_of(txn, parts_->ranges.root());
  etcdserverpb::TxnResponse response;
  TRY(parts_->client.change(op, "committing", [&](Member& member, grpc::ClientContext& context) {
    return member.kv->Txn(&context, request, &response);
  }));
  if (!response.succeeded()) return failed_guard(txn, response);
  const Revision revision = revision_of(response.header());
  parts_->watches.note(revision);
  compact(op, revision);
  return revision;
}

// On the thread of one commit in many. That it fails is no harm: somebody else's compaction was first, or
// the next turn does more.
void EtcdStore::compact(const Op& op, Revision current) {
  const HistoryPolicy& policy = parts_->policy;
  std::uint64_t last = parts_->compacted.load();
  if (last == 0 && parts_->compacted.compare_exchange_strong(last, current.value)) return;
  if (current.value <= last + policy.keep + policy.step) return;
  if (!parts_->compacted.compare_exchange_strong(last, current.value - policy.keep)) return;
  etcdserverpb::CompactionRequest request;
  request.set_revision(std::int64_t(current.value - policy.keep));
  (void)parts_->client.change(op.for_cleanup(kCompaction), "compacting",
                              [&](Member& member, grpc::ClientContext& context) {
                                etcdserverpb::CompactionResponse response;
                                return member.kv->Compact(&context, request, &response);
                              });
}

Result<std::unique_ptr<Watch>> EtcdStore::watch(const std::string& prefix, Revision from,
                                                std::function<void(const WatchBatch&)> on_batch) {
  const Op op(parts_->client.clock(), kWatchStart, "watch", "kv");
  TRY(parts_->ranges.check_watch_start(op, from));
  return parts_->watches.watch(prefix, from, std::move(on_batch));
}

Result<Revision> EtcdStore::revision(const Op& op) {
  return parts_->ranges.revision(op);
}

Result<LeaseId> EtcdStore::grant(const Op& op, Millis ttl) {
  ttl = TRY(check_ttl(ttl));
  etcdserverpb::LeaseGrantRequest request;
  request.set_ttl(std::chrono::ceil<std::chrono::seconds>(ttl).count());
  etcdserverpb::LeaseGrantResponse response;
  TRY(parts_->client.change(op, "granting a lease", [&](Member& member, grpc::ClientContext& context) {
    return member.lease->LeaseGrant(&context, request, &response);
  }));
  return LeaseId{std::uint64_t(response.id())};
}

Result<Millis> EtcdStore::keep_alive(const Op& op, LeaseId lease) {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(std::int64_t(lease.value));
  etcdserverpb::LeaseKeepAliveResponse response;
  const auto attempt = [&](Member& member, grpc::ClientContext& context) {
    const auto stream = member.lease->LeaseKeepAlive(&context);
    const bool answered = stream->Write(request) && stream->Read(&response);
    stream->WritesDone();
    grpc::Status status = stream->Finish();
    if (status.ok() && !answered) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "no answer");
    return status;
  };
  // Not a change: twice is as good as once.
  TRY(parts_->client.read(op, "keeping a lease alive", attempt));
  if (response.ttl() <= 0) return lease_ended(lease);
  return Millis(std::chrono::seconds(response.ttl()));
}

Result<> EtcdStore::revoke(const Op& op, LeaseId lease) {
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(std::int64_t(lease.value));
  auto done =
      parts_->client.change(op, "revoking a lease", [&](Member& member, grpc::ClientContext& context) {
        etcdserverpb::LeaseRevokeResponse response;
        return member.lease->LeaseRevoke(&context, request, &response);
      });
  if (!done && done.error().code == Code::not_found) return {};
  return done;
}

}  // namespace volplugin::kv
