// SPDX-License-Identifier: Apache-2.0
// The lease part of the Store contract; the implementations are listed in kv_contract_test.cc.
#include "tests/contract/kv_contract.h"

namespace volplugin::kv::test {
namespace {

constexpr Millis kLong{3'600'000};  // does not end within a test

TEST_P(KvContract, a_key_goes_with_its_lease) {
  const LeaseId lease = must(store_->grant(make_op(), Store::kMinLease));
  must(store_->commit(make_op(), {{}, {Put{"session", "1", lease}, Put{"stays", "2"}}}));
  EventLog log;
  const auto guard = watch(log, "", at(0));
  EXPECT_EQ(log.wait_for(at(1)).size(), 2U);
  if (GetParam().fake_time) pass(Store::kMinLease);
  const auto events = log.wait_for(at(2));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[2].key, "session");
  EXPECT_EQ(events[2].value, std::nullopt);
  EXPECT_EQ(events[2].revision, at(2));
  EXPECT_EQ(keys(""), std::vector<std::string>{"stays"});
  EXPECT_EQ(revision(), at(2));
  expect_error(store_->keep_alive(make_op(), lease), Code::not_found);
  expect_error(store_->commit(make_op(), {{}, {Put{"session", "3", lease}}}), Code::not_found);
  must(store_->revoke(make_op(), lease));
}

TEST_P(KvContract, keeping_a_lease_alive_keeps_its_keys) {
  const LeaseId lease = must(store_->grant(make_op(), Store::kMinLease));
  must(store_->commit(make_op(), {{}, {Put{"session", "1", lease}}}));
  for (int i = 0; i < 6; ++i) {  // for twice its time
    pass(Store::kMinLease / 3);
    EXPECT_GE(must(store_->keep_alive(make_op(), lease)), Store::kMinLease);
  }
  EXPECT_EQ(value_of("session"), "1");
  EXPECT_EQ(revision(), at(1));
  must(store_->revoke(make_op(), lease));
}

TEST_P(KvContract, revoking_a_lease_erases_its_keys_at_once) {
  const LeaseId lease = must(store_->grant(make_op(), kLong)), other = must(store_->grant(make_op(), kLong));
  EXPECT_NE(lease, other);
  must(store_->commit(make_op(), {{}, {Put{"a", "1", lease}, Put{"b", "1", other}, Put{"c", "1", lease}}}));
  EventLog log;
  const auto guard = watch(log, "", at(1));
  must(store_->revoke(make_op(), lease));
  EXPECT_EQ(keys(""), std::vector<std::string>{"b"});
  EXPECT_EQ(revision(), at(2));
  const auto events = log.wait_for(at(2));  // in one change
  ASSERT_EQ(events.size(), 2U);
  for (const Event& event : events) EXPECT_EQ(event.value, std::nullopt);
  must(store_->revoke(make_op(), lease));
  EXPECT_EQ(revision(), at(2));
  expect_error(store_->keep_alive(make_op(), lease), Code::not_found);
  must(store_->keep_alive(make_op(), other));
}

TEST_P(KvContract, a_lease_without_keys_is_no_change) {
  const LeaseId lease = must(store_->grant(make_op(), kLong));
  must(store_->keep_alive(make_op(), lease));
  must(store_->revoke(make_op(), lease));
  EXPECT_EQ(revision(), at(0));
}

TEST_P(KvContract, the_last_put_decides_about_the_lease) {
  const LeaseId first = must(store_->grant(make_op(), kLong)), second = must(store_->grant(make_op(), kLong));
  const auto put_with = [&](const std::string& key, LeaseId lease) {
    must(store_->commit(make_op(), {{}, {Put{key, "x", lease}}}));
  };
  for (const char* key : {"freed", "moved", "made_again"}) put_with(key, first);
  put("freed");
  put_with("moved", second);
  erase("made_again");
  put("made_again");
  must(store_->revoke(make_op(), first));
  EXPECT_EQ(keys(""), (std::vector<std::string>{"freed", "made_again", "moved"}));
  must(store_->revoke(make_op(), second));
  EXPECT_EQ(keys(""), (std::vector<std::string>{"freed", "made_again"}));
}

TEST_P(KvContract, a_transaction_with_an_ended_lease_does_nothing) {
  const LeaseId lease = must(store_->grant(make_op(), kLong));
  must(store_->revoke(make_op(), lease));
  put("there");
  const Txn txn{{AtRevision{"there", at(1)}}, {Put{"one", "1"}, Erase{"there"}, Put{"two", "2", lease}}};
  expect_error(store_->commit(make_op(), txn), Code::not_found);
  EXPECT_EQ(keys(""), std::vector<std::string>{"there"});
  EXPECT_EQ(revision(), at(1));
  expect_error(store_->commit(make_op(), {{Absent{"there"}}, {Put{"two", "2", lease}}}), Code::conflict);
  expect_error(store_->commit(make_op(), {{}, {Put{"two", "2", {lease.value + 1'000'000}}}}),
               Code::not_found);
}

TEST_P(KvContract, leases_have_limits) {
  expect_error(store_->grant(make_op(), Store::kMinLease - Millis(1)), Code::invalid_argument);
  expect_error(store_->grant(make_op(), Store::kMaxLease + Millis(1)), Code::invalid_argument);
  const LeaseId lease = must(store_->grant(make_op(), Store::kMinLease + Millis(1)));
  EXPECT_EQ(must(store_->keep_alive(make_op(), lease)), Millis(3'000));  // whole seconds
  must(store_->revoke(make_op(), lease));
  must(store_->revoke(make_op(), must(store_->grant(make_op(), Store::kMaxLease))));
}

TEST_P(KvContract, an_expired_operation_does_nothing_to_leases) {
  const LeaseId lease = must(store_->grant(make_op(), kLong));
  must(store_->commit(make_op(), {{}, {Put{"a", "1", lease}}}));
  const Op late(system_clock(), Millis(-1), "r", "test");
  expect_error(store_->grant(late, kLong), Code::deadline_exceeded);
  expect_error(store_->keep_alive(late, lease), Code::deadline_exceeded);
  expect_error(store_->revoke(late, lease), Code::deadline_exceeded);
  EXPECT_EQ(value_of("a"), "1");
}

}  // namespace
}  // namespace volplugin::kv::test
