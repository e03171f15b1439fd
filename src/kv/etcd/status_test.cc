// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/status.h"

#include <gtest/gtest.h>

namespace volplugin::kv {
namespace {

using grpc::StatusCode;

struct Row {
  StatusCode status;
  const char* text;
  Code code;
  Effect effect;  // of a change
};

TEST(EtcdStatus, each_status_has_its_meaning) {
  for (const Row& row : {
           Row{StatusCode::UNAVAILABLE, "etcdserver: request timed out", Code::unavailable, Effect::unknown},
           Row{StatusCode::DEADLINE_EXCEEDED, "", Code::deadline_exceeded, Effect::unknown},
           Row{StatusCode::CANCELLED, "", Code::cancelled, Effect::unknown},
           Row{StatusCode::UNKNOWN, "", Code::internal, Effect::unknown},
           Row{StatusCode::INTERNAL, "", Code::internal, Effect::unknown},
           Row{StatusCode::DATA_LOSS, "etcdserver: corrupt cluster", Code::corrupt, Effect::unknown},
           Row{StatusCode::NOT_FOUND, "etcdserver: requested lease not found", Code::not_found, Effect::none},
           Row{StatusCode::RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded",
               Code::resource_exhausted, Effect::none},
           Row{StatusCode::INVALID_ARGUMENT, "etcdserver: request is too large", Code::invalid_argument,
               Effect::none},
           Row{StatusCode::INVALID_ARGUMENT, "etcdserver: user name is empty", Code::permission_denied,
               Effect::none},
           Row{StatusCode::OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted",
               Code::invalid_argument, Effect::none},
           Row{StatusCode::PERMISSION_DENIED, "etcdserver: permission denied", Code::permission_denied,
               Effect::none},
           Row{StatusCode::UNAUTHENTICATED, "etcdserver: invalid auth token", Code::permission_denied,
               Effect::none},
           Row{StatusCode::FAILED_PRECONDITION, "etcdserver: authentication is not enabled",
               Code::unsupported, Effect::none},
           Row{StatusCode::UNIMPLEMENTED, "", Code::unsupported, Effect::none},
       }) {
    const grpc::Status status(row.status, row.text);
    const Error change = error_of(status, Sent::change, "committing");
    EXPECT_EQ(to_string(change.code), to_string(row.code)) << row.text;
    EXPECT_EQ(change.effect, row.effect) << row.text;
    EXPECT_EQ(error_of(status, Sent::harmless, "reading").effect, Effect::none) << row.text;
  }
}

TEST(EtcdStatus, what_is_worth_another_try) {
  EXPECT_TRUE(is_worth_another_try({StatusCode::UNAVAILABLE, "etcdserver: leader changed"}));
  EXPECT_TRUE(is_worth_another_try({StatusCode::DEADLINE_EXCEEDED, ""}));
  EXPECT_TRUE(is_worth_another_try({StatusCode::UNAUTHENTICATED, "etcdserver: invalid auth token"}));
  EXPECT_FALSE(is_worth_another_try({StatusCode::UNAUTHENTICATED, "else"}));
  EXPECT_FALSE(is_worth_another_try({StatusCode::RESOURCE_EXHAUSTED, ""}));
}

TEST(EtcdStatus, a_change_goes_elsewhere_only_when_it_was_certainly_not_done) {
  EXPECT_TRUE(is_refused_unseen({StatusCode::UNAVAILABLE, "etcdserver: no leader"}));
  EXPECT_TRUE(is_refused_unseen({StatusCode::INVALID_ARGUMENT, "etcdserver: revision of auth store is old"}));
  EXPECT_FALSE(is_refused_unseen({StatusCode::UNAVAILABLE, "etcdserver: leader changed"}));
  EXPECT_FALSE(is_refused_unseen({StatusCode::UNAVAILABLE, "etcdserver: request timed out"}));
  EXPECT_FALSE(is_refused_unseen({StatusCode::UNAVAILABLE, "Socket closed"}));
}

}  // namespace
}  // namespace volplugin::kv
