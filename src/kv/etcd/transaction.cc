// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/transaction.h"

#include "kv/rules.h"

namespace volplugin::kv {

etcdserverpb::TxnRequest request_of(const Txn& txn, const std::string& root) {
  etcdserverpb::TxnRequest request;
  for (const Guard& guard : txn.guards) {
    const auto* at = std::get_if<AtRevision>(&guard);
    auto& compare = *request.add_compare();
    compare.set_target(etcdserverpb::Compare::MOD);
    compare.set_result(etcdserverpb::Compare::EQUAL);
    compare.set_key(root + key_of(guard));
    compare.set_mod_revision(at == nullptr ? 0 : std::int64_t(at->revision.value));  // 0: absent
    auto& look = *request.add_failure()->mutable_request_range();
    look.set_key(root + key_of(guard));
    look.set_keys_only(true);
  }
  for (const Change* change : effective_changes(txn)) {
    auto& operation = *request.add_success();
    if (const auto* put = std::get_if<Put>(change)) {
      auto& wanted = *operation.mutable_request_put();
      wanted.set_key(root + put->key);
      wanted.set_value(put->value);
      wanted.set_lease(std::int64_t(put->lease.value));
    } else {
      operation.mutable_request_delete_range()->set_key(root + key_of(*change));
    }
  }
  return request;
}

Error failed_guard(const Txn& txn, const etcdserverpb::TxnResponse& response) {
  for (size_t i = 0; i < txn.guards.size() && int(i) < response.responses_size(); ++i) {
    const auto& found = response.responses(int(i)).response_range();
    std::optional<Revision> current;
    if (!found.kvs().empty()) current = Revision{std::uint64_t(found.kvs(0).mod_revision())};
    if (const auto held = check_guard(txn.guards[i], current); !held) return held.error();
  }
  return make_error(Code::internal, "etcd refused a transaction whose guards all hold");
}

}  // namespace volplugin::kv
