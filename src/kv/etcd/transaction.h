// SPDX-License-Identifier: Apache-2.0
// A Txn as etcd takes it. Pure functions.
#pragma once

#include "kv/store.h"

#include <string>

#include <etcd/rpc.pb.h>

namespace volplugin::kv {

// The guards, the changes, and, for when a guard does not hold, the question which one.
etcdserverpb::TxnRequest request_of(const Txn& txn, const std::string& root);

// The conflict that `response`, the answer to request_of(txn), tells of.
Error failed_guard(const Txn& txn, const etcdserverpb::TxnResponse& response);

}  // namespace volplugin::kv
