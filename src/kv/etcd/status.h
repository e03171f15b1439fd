// SPDX-License-Identifier: Apache-2.0
// What a gRPC status from etcd means: the one table, and the few questions the client asks before it.
#pragma once

#include "base/error.h"

#include <grpcpp/support/status.h>

namespace volplugin::kv {

// Whether the request can have changed something before it failed.
enum class Sent {
  harmless,  // a read, or it never left
  change,
};

// `doing`: "committing". The effect is unknown only for a change whose outcome the status leaves open.
Error error_of(const grpc::Status& status, Sent sent, std::string_view doing,
               std::source_location origin = std::source_location::current());

// Another member, or the same one in a moment, may answer.
bool is_worth_another_try(const grpc::Status& status);
// The token is not taken (any more): authenticate again. Nothing was done.
bool is_about_token(const grpc::Status& status);
// etcd refused before it did anything, and another member may not.
bool is_refused_unseen(const grpc::Status& status);

}  // namespace volplugin::kv
