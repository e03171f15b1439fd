// SPDX-License-Identifier: Apache-2.0
// What the API does with requests as they should not be.
#include "rest/api.h"
#include "rest/capture_for_test.h"

#include <gmock/gmock.h>

namespace volplugin::rest {
namespace {

using namespace test;
using ::testing::HasSubstr;

class ApiInputTest : public ::testing::Test {
 protected:
  http::Response ask(const std::string& method, const std::string& target, const std::string& body = "") {
    return begin(api_, make_request(method, target, body))->get();
  }
  // 400, invalid_argument, a text with that part, and nobody was asked anything.
  void expect_refused(const std::string& method, const std::string& target, const std::string& body,
                      const std::string& part) {
    master_.op.reset();
    const auto response = ask(method, target, body);
    EXPECT_EQ(response.status, 400) << body;
    EXPECT_THAT(response.body, HasSubstr(R"("code":"invalid_argument")")) << body;
    EXPECT_THAT(response.body, HasSubstr(part)) << body;
    EXPECT_FALSE(master_.op) << body;
  }

  StubVolmaster master_;
  FakeClock clock_;
  StubEvents events_;
  Api api_{master_, events_, clock_, "1.2.3"};
};

TEST_F(ApiInputTest, UnknownPathsAndMethods) {
  for (const std::string target : {"/", "/v1", "/v1/", "/v2/volumes", "/v1/volumes/", "/v1/volumes/t",
                                   "/v1/volumes/t/v/w", "/v1/openapi.yaml", "//v1/volumes", ""}) {
    const auto response = ask("GET", target);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_THAT(response.body, HasSubstr(R"("code":"not_found")"));
  }
  const auto response = ask("PATCH", "/v1/volumes/t/v");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header_of(response, "Allow"), "DELETE, GET, HEAD");
  EXPECT_EQ(ask("POST", "/v1/health").status, 405);
  EXPECT_EQ(ask("BREW", "/v1/volumes").status, 405);
  EXPECT_EQ(ask("GET", "/v1/nodes/n/tasks/next").status, 405);
}

TEST_F(ApiInputTest, NamesInThePathAreParsed) {
  expect_refused("GET", "/v1/tenants/a.b", "", "tenant name 'a.b' contains '.'");
  expect_refused("GET", "/v1/tenants/a%2Fb", "", "tenant name 'a/b'");
  expect_refused("GET", "/v1/tenants/%2e%2e", "", "tenant name '..'");
  expect_refused("GET", "/v1/tenants/%c3%bc", "", "tenant name");
  expect_refused("GET", "/v1/volumes/t/-v", "", "volume name '-v'");
  expect_refused("DELETE", "/v1/mounts/t/" + std::string(128, 'v'), "", "has 128 characters");
  expect_refused("PUT", "/v1/nodes/%20/session", "{}", "node name");
  expect_refused("POST", "/v1/nodes/-/tasks/next", R"({"wait-ms": 1})", "node name '-'");
  expect_refused("GET", "/v1/tenants/%zz", "", "hexadecimal");
  expect_refused("GET", "/v1/tenants/a%00", "", "NUL");
}

TEST_F(ApiInputTest, QueriesAreStrict) {
  for (const std::string limit :
       {"", "0", "10001", "-1", "1.5", "ten", "0x10", "99999999999999999999", "1%00"})
    expect_refused("GET", "/v1/volumes?limit=" + limit, "", limit == "1%00" ? "NUL" : "from 1 to 10000");
  expect_refused("GET", "/v1/volumes?tenant=a/b", "", "query tenant");
  expect_refused("GET", "/v1/volumes?tenant=", "", "query tenant");
  expect_refused("GET", "/v1/volumes?limt=1", "",
                 "unknown key 'limt'; GET /v1/volumes takes after, limit, tenant");
  expect_refused("GET", "/v1/tenants?tenant=t", "", "unknown key 'tenant'");
  expect_refused("GET", "/v1/health?x", "", "takes none");
  expect_refused("GET", "/v1/volumes?limit=1&limit=2", "", "given twice");
  expect_refused("DELETE", "/v1/mounts/t/v?confirmed=yes", "",
                 "query confirmed: 'yes' is neither true nor false");
  expect_refused("DELETE", "/v1/mounts/t/v?confirmed=true&node=n", "", "not together with node");
  expect_refused("DELETE", "/v1/mounts/t/v?claim=a/b", "", "query claim");
  expect_refused("DELETE", "/v1/mounts/t/v?fenced=true", "", "query fenced: only together with node");
  expect_refused("DELETE", "/v1/volumes/t/v?mode=data", "", "delete-data, if-ephemeral or forget-record");
  expect_refused("DELETE", "/v1/volumes/t/v?mode=", "", "query mode");
  expect_refused("DELETE", "/v1/mounts/t/v?node=", "", "query node");
  expect_refused("DELETE", "/v1/mounts/t/v?node=n", "", "query claim");
  expect_refused("DELETE", "/v1/mounts/t/v?node=n&claim=a/b", "", "claim");
  expect_refused("DELETE", "/v1/mounts/t/v?node=n&claim=c&fenced=1", "", "query fenced");
}

TEST_F(ApiInputTest, TimeoutsAreStrict) {
  for (const std::string bad : {"0", "-1", "1s", "1.5", "99999999999999999999"}) {
    const auto response =
        begin(api_, make_request("GET", "/v1/version", "", {{"request-timeout-ms", bad}}))->get();
    EXPECT_EQ(response.status, 400) << bad;
    EXPECT_THAT(response.body, HasSubstr("Request-Timeout-Ms"));
  }
}

TEST_F(ApiInputTest, BodiesMustBeWholeObjects) {
  const std::vector<std::pair<std::string, std::string>> takers{
      {"PUT", "/v1/tenants/t"},           {"POST", "/v1/volumes"},
      {"PUT", "/v1/mounts/t/v"},          {"POST", "/v1/volumes/t/v/adoption"},
      {"POST", "/v1/snapshots"},          {"PATCH", "/v1/mounts/t/v"},
      {"PUT", "/v1/nodes/n/session"},     {"POST", "/v1/nodes/n/tasks/next"},
      {"POST", "/v1/nodes/n/tasks/task"},
  };
  for (const auto& [method, target] : takers) {
    expect_refused(method, target, "", "the body is empty");
    expect_refused(method, target, " \r\n", "the body is empty");
    expect_refused(method, target, R"({"tenant": "t", "na)", "not valid JSON");
    expect_refused(method, target, "{} {}", "not valid JSON");
    expect_refused(method, target, "<xml/>", "not valid JSON");
    expect_refused(method, target, "{\"a\": \"\xff\"}", "not valid JSON");
    expect_refused(method, target, "[]", "must be an object");
    expect_refused(method, target, "null", "must be an object");
    expect_refused(method, target, R"({"node": "n", "node": "n"})", "given twice");
    expect_refused(method, target, std::string(100, '[') + std::string(100, ']'), "nested deeper");
  }
}

TEST_F(ApiInputTest, UnknownKeysAreRefused) {
  const std::string use = R"({"id": "m", "since": "2026-01-02T03:04:05.678Z"})";
  expect_refused("PUT", "/v1/tenants/t", R"({"default-optoins": {}})", "default-optoins");
  expect_refused("PUT", "/v1/tenants/t", R"({"default-options": {"colour": "red"}})", "colour");
  expect_refused("POST", "/v1/volumes", R"({"tenant": "t", "name": "v", "size": "1GB"})", "size");
  expect_refused(
      "PUT", "/v1/mounts/t/v",
      fmt::format(
          R"({{"node": "n", "session": "1", "claim": "c", "mount-point": "/m", "use": {}, "force": true}})",
          use),
      "force");
  expect_refused(
      "PUT", "/v1/mounts/t/v",
      R"({"node": "n", "session": "1", "claim": "c", "mount-point": "/m", "use": {"id": "m", "since": "2026-01-02T03:04:05.678Z", "x": 1}})",
      "x");
  expect_refused("PATCH", "/v1/mounts/t/v",
                 R"({"node": "n", "claim": "c", "phase": "mounted", "uses": [], "fencing": 1})", "fencing");
  expect_refused("POST", "/v1/nodes/n/tasks/next", R"({"wait-ms": 1, "node": "n"})", "node");
  expect_refused("POST", "/v1/nodes/n/tasks/1", R"({"id": "1", "ok": true})", "ok");
}

TEST_F(ApiInputTest, WrongTypesAreRefused) {
  expect_refused("PUT", "/v1/tenants/t", R"({"default-options": {"size": 10}})", "default-options.size");
  expect_refused("PUT", "/v1/tenants/t", R"({"default-options": {"ephemeral": "yes"}})",
                 "default-options.ephemeral");
  expect_refused("PUT", "/v1/tenants/t", R"({"filesystems": ["ext4"]})", "filesystems");
  expect_refused("PUT", "/v1/tenants/t", R"({"name": "other"})", "'other'");
  expect_refused("POST", "/v1/volumes", R"({"tenant": 1, "name": "v"})", "tenant");
  expect_refused("POST", "/v1/volumes", R"({"tenant": "t"})", "\\\"name\\\" is missing");
  expect_refused("POST", "/v1/volumes", R"({"tenant": "t", "name": "v", "options": {"size": 10}})",
                 "options.size");
  expect_refused("POST", "/v1/volumes", R"({"tenant": "t", "name": "v", "options": []})", "options");
  expect_refused("POST", "/v1/volumes", R"({"tenant": "t", "name": "v", "node": ""})", "node");
  expect_refused("POST", "/v1/volumes", R"({"tenant": "t", "name": "v w"})", "volume name 'v w'");
  const std::string adoption = "/v1/volumes/t/v/adoption";
  expect_refused("POST", adoption, R"({"layout": "home"})", "layout: 'home' is not data or root");
  expect_refused("POST", adoption, R"({"confirmed": "yes"})", "confirmed");
  expect_refused("POST", adoption, R"({"options": {"pool": 1}})", "options.pool");
  expect_refused("POST", adoption, R"({"image": "x"})", "image");
  expect_refused("POST", "/v1/snapshots", R"({"tenant": "t"})", "volume");
  expect_refused("POST", "/v1/snapshots", R"({"tenant": "t", "volume": "v", "name": "a/b"})",
                 "name: snapshot name 'a/b'");
  expect_refused("POST", "/v1/snapshots", R"({"tenant": "t", "volume": "v", "name": 1})", "name");
  expect_refused("POST", "/v1/snapshots", R"({"tenant": "t", "volume": "v", "keep": 1})", "keep");
  expect_refused("DELETE", "/v1/snapshots/t/v/a%40b", "", "snapshot name 'a@b'");
  expect_refused("GET", "/v1/snapshots?volume=v", "", "query volume: volume 'v'");
  expect_refused("PATCH", "/v1/mounts/t/v", R"({"node": "n", "claim": "c", "phase": "gone", "uses": []})",
                 "'gone'");
  expect_refused("PATCH", "/v1/mounts/t/v", R"({"node": "n", "claim": "c", "phase": "fencing", "uses": []})",
                 "phase: 'fencing' is set by volmaster only");
  expect_refused("PATCH", "/v1/mounts/t/v", R"({"node": "n", "claim": "c", "phase": "mounted"})", "uses");
  expect_refused("PATCH", "/v1/mounts/t/v",
                 R"({"node": "n", "claim": "c", "phase": "mounted", "uses": [{"id": "/"}]})", "mount ID");
  expect_refused(
      "PUT", "/v1/mounts/t/v",
      R"({"node": "n", "session": "1", "claim": "c", "mount-point": "/m", "use": {"id": "m", "since": "now"}})",
      "use.since");
}

TEST_F(ApiInputTest, BodiesOfNodesAreStrict) {
  const std::string session = "/v1/nodes/n/session";
  const std::string good = R"({"name": "n", "backends": [], "started-at": "2026-01-02T03:04:05.678Z"})";
  expect_refused(
      "PUT", session,
      R"({"node": {"name": "m", "backends": [], "started-at": "2026-01-02T03:04:05.678Z"}, "host": "h", "ttl-ms": 1})",
      "'m' in the body, but 'n' in the path");
  expect_refused("PUT", session, R"({"node": {"name": "n", "backends": "loop"}})", "backends");
  for (const std::string ttl : {"-1", "1.5", "\"1\"", "3600001", "null"})
    expect_refused("PUT", session, R"({"node": )" + good + R"(, "host": "h", "ttl-ms": )" + ttl + "}",
                   "ttl-ms");
  for (const std::string wait : {"-1", "1.5", "\"1\"", "50001", "99999999999999999999", "null"})
    expect_refused("POST", "/v1/nodes/n/tasks/next", R"({"wait-ms": )" + wait + "}", "wait-ms");
  expect_refused("POST", "/v1/nodes/n/tasks/1", R"({"id": "2"})", "'2' in the body, but '1' in the path");
  expect_refused("POST", "/v1/nodes/n/tasks/1", R"({"id": "1", "error": {"code": "busy"}})", "message");
}

}  // namespace
}  // namespace volplugin::rest
