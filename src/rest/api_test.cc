// SPDX-License-Identifier: Apache-2.0
// What the API does with requests as they should be: statuses, headers, conditions, waiting.
#include "rest/api.h"

#include "rest/answer.h"
#include "rest/capture_for_test.h"

#include <gmock/gmock.h>

namespace volplugin::rest {
namespace {

using namespace test;
using ::testing::HasSubstr;

constexpr std::string_view kPolicy = R"({"default-options": {"size": "10MB"}})";
constexpr std::string_view kVolume = R"({"tenant": "t", "name": "v", "options": {"size": "20MB"}})";

class ApiTest : public ::testing::Test {
 protected:
  http::Response ask(std::string method, std::string target, std::string_view body = "",
                     std::vector<std::pair<std::string, std::string>> headers = {}) {
    return begin(api_,
                 make_request(std::move(method), std::move(target), std::string(body), std::move(headers)))
        ->get();
  }

  StubVolmaster master_;
  FakeClock clock_;
  StubEvents events_;
  Api api_{master_, events_, clock_, "1.2.3"};
};

TEST_F(ApiTest, EveryKindOfErrorHasItsStatus) {
  const std::vector<std::pair<Code, int>> table{
      {Code::invalid_argument, 400},  {Code::not_found, 404},   {Code::already_exists, 409},
      {Code::conflict, 409},          {Code::busy, 409},        {Code::unsupported, 422},
      {Code::permission_denied, 403}, {Code::unavailable, 503}, {Code::resource_exhausted, 507},
      {Code::deadline_exceeded, 504}, {Code::cancelled, 503},   {Code::corrupt, 500},
      {Code::internal, 500},
  };
  for (const auto& [code, status] : table) {
    master_.error = make_error(code, "why \"it\" failed");
    const auto response = ask("GET", "/v1/volumes/t/v");
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_THAT(response.body,
                HasSubstr(fmt::format(R"("status":{},"code":"{}","detail":"why \"it\" failed")", status,
                                      to_string(code))));
    EXPECT_THAT(response.body, HasSubstr(R"("effect-unknown":false})"));
  }
  master_.error = make_error(Code::unavailable, "gone", Effect::unknown);
  EXPECT_THAT(ask("GET", "/v1/volumes/t/v").body, HasSubstr(R"("effect-unknown":true})"));
}

TEST_F(ApiTest, EveryAnswerCarriesTheRequestId) {
  const std::vector<std::pair<std::string, std::string>> mine{{"x-request-id", "My_id-1"}};
  EXPECT_EQ(header_of(ask("GET", "/v1/version", "", mine), "X-Request-Id"), "My_id-1");
  EXPECT_EQ(header_of(ask("GET", "/nowhere", "", mine), "X-Request-Id"), "My_id-1");
  EXPECT_EQ(header_of(ask("POST", "/v1/volumes", "", mine), "X-Request-Id"), "My_id-1");
  for (const std::string& bad : {std::string("a b"), std::string(65, 'x'), std::string("\"")}) {
    const auto made = header_of(ask("GET", "/v1/version", "", {{"x-request-id", bad}}), "X-Request-Id");
    EXPECT_EQ(made.size(), 16U) << made;
  }
}

TEST_F(ApiTest, OpSaysWhoAsksAndUntilWhen) {
  ask("GET", "/v1/volumes/t/v", "", {{"x-volplugin-actor", "volcli"}, {"x-request-id", "r1"}});
  EXPECT_EQ(master_.op->actor(), "volcli");
  EXPECT_EQ(master_.op->request_id(), "r1");
  EXPECT_EQ(master_.op->remaining(), Millis(55'000));
  ask("POST", "/v1/volumes", kVolume, {{"x-volplugin-actor", "<script>"}});
  EXPECT_EQ(master_.op->actor(), "rest");
  EXPECT_EQ(master_.op->remaining(), Millis(115'000));
  ask("DELETE", "/v1/volumes/t/v", "", {{"request-timeout-ms", "250"}});
  EXPECT_EQ(master_.op->remaining(), Millis(250));
  ask("GET", "/v1/volumes/t/v", "", {{"request-timeout-ms", "18446744073709551615"}});
  EXPECT_EQ(master_.op->remaining(), Millis(55'000));
}

TEST_F(ApiTest, OpStopsWhenTheCallerLeaves) {
  std::stop_source gone;
  auto request = make_request("GET", "/v1/volumes/t/v");
  request.gone = gone.get_token();
  begin(api_, std::move(request));
  EXPECT_TRUE(master_.op->check("now"));
  gone.request_stop();
  EXPECT_EQ(master_.op->check("now").error().code, Code::cancelled);
}

TEST_F(ApiTest, TenantIsNewOrReplaced) {
  master_.existed = false;
  const auto made = ask("PUT", "/v1/tenants/t", kPolicy);
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(header_of(made, "ETag"), "\"7\"");
  EXPECT_THAT(made.body, HasSubstr(R"("name":"t","revision":7)"));
  EXPECT_EQ(master_.asked_revision, std::nullopt);
  master_.existed = true;
  EXPECT_EQ(ask("PUT", "/v1/tenants/t", kPolicy).status, 200);
}

TEST_F(ApiTest, ConditionsBecomeRevisions) {
  EXPECT_EQ(ask("PUT", "/v1/tenants/t", kPolicy, {{"if-match", "\"42\""}}).status, 200);
  EXPECT_EQ(master_.asked_revision, 42U);
  EXPECT_EQ(ask("PUT", "/v1/tenants/t", kPolicy, {{"if-none-match", "*"}}).status, 201);
  EXPECT_EQ(master_.asked_revision, 0U);
  EXPECT_EQ(ask("DELETE", "/v1/tenants/t", "", {{"if-match", "\"43\""}}).status, 204);
  EXPECT_EQ(master_.asked_revision, 43U);
  for (const std::string bad : {"42", "*", "W/\"42\"", "\"0\"", "\"\"", "\"", "\"1\", \"2\"", "\"-1\""})
    EXPECT_EQ(ask("DELETE", "/v1/tenants/t", "", {{"if-match", bad}}).status, 400) << bad;
  EXPECT_EQ(ask("PUT", "/v1/tenants/t", kPolicy, {{"if-none-match", "\"1\""}}).status, 400);
  EXPECT_EQ(ask("PUT", "/v1/tenants/t", kPolicy, {{"if-match", "\"1\""}, {"if-none-match", "*"}}).status,
            400);
}

TEST_F(ApiTest, ConflictIs412OnlyForAStatedCondition) {
  master_.error = make_error(Code::conflict, "at revision 7");
  EXPECT_EQ(ask("DELETE", "/v1/tenants/t").status, 409);
  const auto refused = ask("DELETE", "/v1/tenants/t", "", {{"if-match", "\"6\""}});
  EXPECT_EQ(refused.status, 412);
  EXPECT_THAT(refused.body, HasSubstr(R"("code":"conflict")"));
  EXPECT_EQ(ask("PUT", "/v1/tenants/t", kPolicy, {{"if-none-match", "*"}}).status, 412);
  master_.error = make_error(Code::unavailable, "store");
  EXPECT_EQ(ask("DELETE", "/v1/tenants/t", "", {{"if-match", "\"6\""}}).status, 503);
}

TEST_F(ApiTest, KnownRevisionIsNotSentAgain) {
  for (const std::string target : {"/v1/tenants/t", "/v1/volumes/t/v"}) {
    EXPECT_EQ(header_of(ask("GET", target), "ETag"), "\"7\"");
    for (const std::string same : {"\"7\"", "W/\"7\"", "\"1\", \"7\"", "*"}) {
      const auto response = ask("GET", target, "", {{"if-none-match", same}});
      EXPECT_EQ(response.status, 304) << target << " " << same;
      EXPECT_EQ(response.body, "");
      EXPECT_EQ(header_of(response, "ETag"), "\"7\"");
    }
    EXPECT_EQ(ask("GET", target, "", {{"if-none-match", "\"77\""}}).status, 200);
  }
  // Whether a node is connected is not in its revision.
  EXPECT_EQ(ask("GET", "/v1/nodes/n", "", {{"if-none-match", "\"7\""}}).status, 200);
}

TEST_F(ApiTest, VolumeIsNewOrExisted) {
  EXPECT_EQ(ask("POST", "/v1/volumes", kVolume).status, 200);
  master_.existed = false;
  EXPECT_EQ(ask("POST", "/v1/volumes", R"({"tenant": "t", "name": "v", "node": "n1"})").status, 201);
  EXPECT_EQ(master_.asked_volume->id.name(), "t/v");
  EXPECT_EQ(master_.asked_volume->node->str(), "n1");
  EXPECT_TRUE(master_.asked_volume->options.empty());
}

TEST_F(ApiTest, AdoptionIsReadWhole) {
  EXPECT_EQ(ask("POST", "/v1/volumes/t/v/adoption", "{}").status, 201);
  EXPECT_EQ(master_.asked_name, "adopted t/v with 0 options");
  const std::string body = R"({"options": {"pool": "p"}, "layout": "root", "confirmed": true})";
  EXPECT_EQ(ask("POST", "/v1/volumes/t/v/adoption", body).status, 201);
  EXPECT_EQ(master_.asked_name, "adopted t/v with 1 options, layout root for sure");
}

TEST_F(ApiTest, SnapshotsAreTakenFoundAndRemoved) {
  EXPECT_EQ(ask("POST", "/v1/snapshots", R"({"tenant": "t", "volume": "v", "name": "s"})").status, 201);
  EXPECT_EQ(master_.asked_name, "t/v/s");
  EXPECT_EQ(ask("POST", "/v1/snapshots", R"({"tenant": "t", "volume": "v"})").status, 201);
  EXPECT_EQ(master_.asked_name, "t/v");
  const auto found = ask("GET", "/v1/snapshots/t/v/s");
  EXPECT_EQ(found.status, 200);
  EXPECT_EQ(ask("GET", "/v1/snapshots/t/v/s", "", {{"if-none-match", header_of(found, "ETag")}}).status, 304);
  EXPECT_EQ(ask("GET", "/v1/snapshots?volume=t%2Fv&limit=3").status, 200);
  EXPECT_EQ(master_.asked_list->volume, "t/v");
  EXPECT_EQ(master_.asked_list->limit, 3u);
  EXPECT_EQ(ask("DELETE", "/v1/snapshots/t/v/s").status, 204);
  EXPECT_EQ(master_.asked_name, "t/v/s");
}

TEST_F(ApiTest, QueriesChooseWhatIsDeleted) {
  EXPECT_EQ(ask("DELETE", "/v1/volumes/t/v").status, 204);
  EXPECT_EQ(master_.asked_mode, service::RemoveMode::delete_data);
  ask("DELETE", "/v1/volumes/t/v?mode=if-ephemeral");
  EXPECT_EQ(master_.asked_mode, service::RemoveMode::if_ephemeral);
  ask("DELETE", "/v1/volumes/t/v?mode=forget%2drecord");
  EXPECT_EQ(master_.asked_mode, service::RemoveMode::forget_record);
  ask("DELETE", "/v1/mounts/t/v?node=n1&claim=c-1");
  EXPECT_EQ(master_.asked_name, "released by n1 under c-1");
  ask("DELETE", "/v1/mounts/t/v?node=n1&claim=&fenced=true");
  EXPECT_EQ(master_.asked_name, "released by n1 under , fenced");
  ask("DELETE", "/v1/mounts/t/v");
  EXPECT_EQ(master_.asked_name, "forgotten");
  ask("DELETE", "/v1/mounts/t/v?confirmed=true");
  EXPECT_EQ(master_.asked_name, "forgotten for sure");
  ask("DELETE", "/v1/mounts/t/v?confirmed=false");
  EXPECT_EQ(master_.asked_name, "forgotten");
  ask("DELETE", "/v1/mounts/t/v?confirmed=true&claim=c-1");
  EXPECT_EQ(master_.asked_name, "forgotten under c-1 for sure");
  ask("DELETE", "/v1/mounts/t/v?claim=");
  EXPECT_EQ(master_.asked_name, "forgotten under ");
}

TEST_F(ApiTest, ListsArePagesAndNamesAreDecoded) {
  const auto page = ask("GET", "/v1/volumes?tenant=t1&after=t1%2Fv+1&limit=10000");
  EXPECT_EQ(page.body, R"({"items":[],"next":"t/next","revision":7})");
  EXPECT_EQ(master_.asked_list->tenant, "t1");
  EXPECT_EQ(master_.asked_list->after, "t1/v 1");
  EXPECT_EQ(master_.asked_list->limit, 10'000U);
  ask("GET", "/v1/mounts");
  EXPECT_EQ(master_.asked_list->limit, 1000U);
  EXPECT_EQ(ask("GET", "/v1/volumes/%74%31/a%2Eb").status, 200);
  EXPECT_EQ(master_.asked_name, "t1/a.b");
}

TEST_F(ApiTest, HealthVersionAndOperations) {
  EXPECT_EQ(ask("GET", "/v1/health").body, R"({"ok":true,"store":"ok","version":"1.2.3"})");
  master_.store_ok = false;
  EXPECT_EQ(ask("GET", "/v1/health").status, 503);
  EXPECT_EQ(ask("GET", "/v1/version").body, R"({"version":"1.2.3","api":"v1"})");
  EXPECT_THAT(ask("GET", "/v1/operations").body, HasSubstr(R"({"items":[{"id":"id","kind":"create")"));
  EXPECT_THAT(ask("GET", "/v1/operations/a%20b").body, HasSubstr(R"({"id":"a b","kind":"create")"));
}

TEST_F(ApiTest, OnlyCallsForStorageLeaveTheCallersThread) {
  ask("GET", "/v1/volumes/t/v");
  EXPECT_EQ(master_.thread, std::this_thread::get_id());
  ask("POST", "/v1/volumes", kVolume);
  EXPECT_NE(master_.thread, std::this_thread::get_id());
}

TEST_F(ApiTest, NodeIsAnsweredWhenWorkComes) {
  const auto captured = begin(api_, make_request("POST", "/v1/nodes/n/tasks/next", R"({"wait-ms": 30000})"));
  EXPECT_FALSE(captured->answered());
  const auto volume = StubVolmaster::some_volume(*model::parse_volume_id("t/v"));
  master_.waiting(std::optional(service::Task{"task-1", service::TaskKind::remove, volume, Millis(500)}));
  EXPECT_EQ(captured->get().status, 200);
  EXPECT_THAT(captured->get().body, HasSubstr(R"({"id":"task-1","kind":"remove","remaining-ms":500,)"));
  EXPECT_FALSE(master_.finished);

  const auto none = begin(api_, make_request("POST", "/v1/nodes/n/tasks/next", R"({"wait-ms": 0})"));
  master_.waiting(std::optional<service::Task>());
  EXPECT_EQ(none->get().status, 204);
}

TEST_F(ApiTest, WorkForANodeThatLeftIsHandedBack) {
  std::stop_source gone;
  auto request = make_request("POST", "/v1/nodes/n/tasks/next", R"({"wait-ms": 30000})");
  request.gone = gone.get_token();
  const auto captured = begin(api_, std::move(request));
  gone.request_stop();
  const auto volume = StubVolmaster::some_volume(*model::parse_volume_id("t/v"));
  master_.waiting(std::optional(service::Task{"task-1", service::TaskKind::make, volume, Millis(500)}));
  EXPECT_FALSE(captured->answered());
  ASSERT_TRUE(master_.finished);
  EXPECT_EQ(master_.finished->id, "task-1");
  EXPECT_EQ(master_.finished->error->code, Code::unavailable);
  EXPECT_EQ(master_.finished->error->effect, Effect::none);
}

TEST_F(ApiTest, ResultOfATaskIsPassedOn) {
  const auto done = ask("POST", "/v1/nodes/n/tasks/task-1",
                        R"({"id": "task-1", "size-bytes": 4096, "filesystem-type": "ext4"})");
  EXPECT_EQ(done.status, 204);
  EXPECT_EQ(master_.finished->made.size, Bytes{4096});
}

}  // namespace
}  // namespace volplugin::rest
