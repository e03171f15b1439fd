// SPDX-License-Identifier: Apache-2.0
// etcd says more in its texts than in its codes. The texts compared here are the same in 3.4 and 3.5
// (etcdserver/api/v3rpc/rpctypes/error.go); where one is missed, the code alone still errs to the safe side.
#include "kv/etcd/status.h"

#include <fmt/format.h>

namespace volplugin::kv {
namespace {

struct Meaning {
  Code code;
  bool open;  // the outcome of a change is not known
};

Meaning meaning_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return {Code::internal, true};  // never asked for
    case grpc::StatusCode::CANCELLED:
      return {Code::cancelled, true};
    case grpc::StatusCode::UNKNOWN:
      return {Code::internal, true};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {Code::invalid_argument, false};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Code::deadline_exceeded, true};
    case grpc::StatusCode::NOT_FOUND:  // the lease
      return {Code::not_found, false};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {Code::already_exists, false};
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return {Code::permission_denied, false};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:  // the space quota, or too many requests
      return {Code::resource_exhausted, false};
    case grpc::StatusCode::FAILED_PRECONDITION:  // authentication is not enabled
      return {Code::unsupported, false};
    case grpc::StatusCode::ABORTED:
      return {Code::unavailable, true};
    case grpc::StatusCode::OUT_OF_RANGE:  // a revision that is compacted, or not there yet
      return {Code::invalid_argument, false};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Code::unsupported, false};
    case grpc::StatusCode::INTERNAL:
      return {Code::internal, true};
    case grpc::StatusCode::UNAVAILABLE:  // no leader, timed out, not reached
      return {Code::unavailable, true};
    case grpc::StatusCode::DATA_LOSS:  // members contradict each other
      return {Code::corrupt, true};
    case grpc::StatusCode::DO_NOT_USE:
      break;
  }
  return {Code::internal, true};
}

// Both have INVALID_ARGUMENT: no user where etcd wants one, and a wrong one or a wrong password.
bool is_about_user(const grpc::Status& status) {
  return status.error_message() == "etcdserver: user name is empty" ||
         status.error_message() == "etcdserver: authentication failed, invalid user ID or password";
}

std::string_view advice(const grpc::Status& status) {
  if (is_about_user(status)) return "; see --etcd-user and --etcd-password-file";
  if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED &&
      status.error_message().find("database space exceeded") != std::string::npos)
    return "; make room in etcd: docs/operations/etcd.md#space";
  return "";
}

}  // namespace

Error error_of(const grpc::Status& status, Sent sent, std::string_view doing, std::source_location origin) {
  const Meaning meaning =
      is_about_user(status) ? Meaning{Code::permission_denied, false} : meaning_of(status.error_code());
  const Effect effect = sent == Sent::change && meaning.open ? Effect::unknown : Effect::none;
  return make_error(meaning.code,
                    fmt::format("{}: etcd: {} (gRPC {}){}", doing,
                                status.error_message().empty() ? "no reason given" : status.error_message(),
                                int(status.error_code()), advice(status)),
                    effect, origin);
}

bool is_worth_another_try(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED || is_about_token(status);
}

bool is_about_token(const grpc::Status& status) {
  return (status.error_code() == grpc::StatusCode::UNAUTHENTICATED &&
          status.error_message() == "etcdserver: invalid auth token") ||
         (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT &&
          status.error_message() == "etcdserver: revision of auth store is old");
}

bool is_refused_unseen(const grpc::Status& status) {
  return is_about_token(status) || (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                                    status.error_message() == "etcdserver: no leader");
}

}  // namespace volplugin::kv
