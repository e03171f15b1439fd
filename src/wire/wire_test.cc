// SPDX-License-Identifier: Apache-2.0
#include "wire/records.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace volplugin::wire {
namespace {

model::TenantName tenant_name() {
  return *model::TenantTag::parse("tenant1");
}

Result<model::Tenant> read_tenant(const std::string& text) {
  return parse_tenant(TRY(json::Value::parse(text, "policy")), tenant_name());
}

std::string message_of(const std::string& text) {
  const auto tenant = read_tenant(text);
  return tenant ? "accepted" : tenant.error().message;
}

TEST(TenantJson, TheDocumentsExampleReadsAndWritesBack) {
  std::ifstream file(SOURCE_DIR "/docs/examples/requirements.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto tenant = read_tenant(text.str());
  ASSERT_TRUE(tenant) << tenant.error().message;
  EXPECT_EQ(tenant->defaults.snapshot_keep, 20u);
  EXPECT_EQ(tenant->defaults.snapshot_frequency, std::chrono::minutes(30));
  EXPECT_EQ(tenant->defaults.write_bps, 100000000u);
  EXPECT_EQ(tenant->filesystems.at("ext4"), "mkfs.ext4 -m0 %");
  const auto again = read_tenant(to_text(*tenant));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->defaults, tenant->defaults);
  EXPECT_EQ(again->filesystems, tenant->filesystems);
}

TEST(TenantJson, ErrorsNameTheFieldAndTheRule) {
  EXPECT_EQ(message_of(R"({"default-options": {"size": 10}})"),
            "default-options.size: must be a string, not number");
  EXPECT_NE(message_of(R"({"default-options": {"sise": "1GB"}})").find("unknown key \"sise\""),
            std::string::npos);
  EXPECT_NE(
      message_of(R"({"default-options": {"snapshot": {"keep": -1}}})").find("default-options.snapshot.keep"),
      std::string::npos);
  EXPECT_NE(message_of(R"({"default-options": {"snapshot": {"keep": 1.5}}})").find("whole number"),
            std::string::npos);
  EXPECT_NE(message_of(R"({"default-options": {"rate-limit": {"read-bps": 18446744073709551616}}})")
                .find("read-bps"),
            std::string::npos);
  EXPECT_NE(message_of(R"({"filesystems": {"ext4": 1}})").find("filesystems.ext4"), std::string::npos);
  EXPECT_NE(message_of(R"({"default-options": [])").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message_of(R"([])").find("must be an object"), std::string::npos);
  EXPECT_NE(message_of(R"({"filesystems": {}, "filesystems": {}})").find("given twice"), std::string::npos);
  EXPECT_NE(message_of("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message_of("{} {}").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message_of("{\"filesystems\": {\"\xff\": \"%\"}}").find("not valid JSON"), std::string::npos);
}

TEST(Json, DepthIsBounded) {
  EXPECT_FALSE(json::Value::parse(std::string(100'000, '['), "x"));
  EXPECT_FALSE(json::Value::parse(std::string(65, '[') + std::string(65, ']'), "x"));
  EXPECT_TRUE(json::Value::parse(std::string(64, '[') + std::string(64, ']'), "x"));
  EXPECT_TRUE(json::Value::parse("\"" + std::string(1000, '[') + "\"", "x"))
      << "brackets in a string are text";
}

TEST(Json, WriterEscapesAndRepairs) {
  json::Writer writer;
  writer.begin_object().field("k\"", "a\\b\n\x01\xff\xC3\xBC").end_object();
  EXPECT_EQ(writer.text(), "{\"k\\\"\":\"a\\\\b\\n\\u0001\xEF\xBF\xBD\xC3\xBC\"}");
  EXPECT_TRUE(json::Value::parse(writer.text(), "x"));
}

TEST(Json, WriterIndentsAsPeopleRead) {
  json::Writer writer(2);
  writer.begin_object().field("a", 1).key("b").begin_array().string("x").end_array().key("c").begin_object();
  writer.end_object().end_object();
  EXPECT_EQ(writer.text(), "{\n  \"a\": 1,\n  \"b\": [\n    \"x\"\n  ],\n  \"c\": {}\n}");
}

model::Volume volume() {
  model::Volume made{
      *model::parse_volume_id("tenant1/a.b"), "uid-1", {"loop", "default", Bytes::gib(1), "ext4"}};
  made.options.snapshots = true;
  made.options.snapshot_frequency = std::chrono::minutes(5);
  made.options.snapshot_keep = 2;
  made.options.rate_limit = {1, 2, 3, 4};
  made.filesystem_command = "mkfs %";
  made.filesystem_type = "ext4";
  made.size = Bytes::gib(1);
  made.node = *model::NodeTag::parse("host1");
  made.phase = model::Phase::failed;
  made.operation = "op";
  made.message = "why";
  made.created_at = made.changed_at = FakeClock().wall();
  return made;
}

TEST(RecordJson, VolumesReadBackWhole) {
  const auto again = parse_volume(*json::Value::parse(to_text(volume(), 7), "x"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->revision, 7u);
  EXPECT_EQ(to_text(again->value), to_text(volume()));
  EXPECT_EQ(again->value.options, volume().options);
}

TEST(RecordJson, LayoutIsWrittenWhereItIsNotTheUsualOne) {
  EXPECT_EQ(to_text(volume()).find("layout"), std::string::npos) << "programs of before could not read it";
  EXPECT_EQ(parse_volume(*json::Value::parse(to_text(volume()), "x"))->value.layout, model::Layout::data);
  auto adopted = volume();
  adopted.layout = model::Layout::root;
  adopted.phase = model::Phase::adopting;
  adopted.filesystem_command.clear();
  std::string text = to_text(adopted);
  EXPECT_EQ(parse_volume(*json::Value::parse(text, "x"))->value.layout, model::Layout::root);
  EXPECT_EQ(to_text(parse_volume(*json::Value::parse(text, "x"))->value), text);
  text.replace(text.find("\"root\""), 6, "\"/etc\"");
  const auto refused = parse_volume(*json::Value::parse(text, "x"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "layout: '/etc' is not data or root");
}

TEST(RecordJson, MountsNodesAndTasksReadBackWhole) {
  model::Mount mount{volume().id,
                     "uid-1",
                     *volume().node,
                     "7",
                     "claim-1",
                     9,
                     model::MountPhase::unmounting,
                     "/m",
                     "busy",
                     {{*model::MountIdTag::parse("abc"), FakeClock().wall()}},
                     FakeClock().wall()};
  EXPECT_EQ(to_text(parse_mount(*json::Value::parse(to_text(mount), "x"))->value), to_text(mount));
  model::Snapshot snapshot{{volume().id, *model::SnapshotTag::parse("s-1")}, "uid-2", "uid-1", Bytes::mib(3)};
  snapshot.phase = model::SnapshotPhase::removing;
  snapshot.operation = "op";
  snapshot.worker = "w";
  snapshot.message = "has clones";
  snapshot.taken_at = snapshot.changed_at = FakeClock().wall();
  EXPECT_EQ(to_text(parse_snapshot(*json::Value::parse(to_text(snapshot), "x"))->value), to_text(snapshot));
  EXPECT_EQ(parse_snapshot(*json::Value::parse(to_text(snapshot, 8), "x"))->revision, 8u);
  model::Node node{*volume().node, "1.0", {"loop", "sim"}, "boot", FakeClock().wall()};
  EXPECT_EQ(to_text(parse_node(*json::Value::parse(to_text(node), "x"))->value), to_text(node));
  node.fenced = {"t1/v"};
  EXPECT_EQ(to_text(parse_node(*json::Value::parse(to_text(node), "x"))->value), to_text(node));
  const model::Session session{*volume().node, "7", "host", "boot", Millis(30'000), FakeClock().wall()};
  EXPECT_EQ(to_text(parse_session(*json::Value::parse(to_text(session), "x"))->value), to_text(session));
  const model::Worker worker{"w", FakeClock().wall()};
  EXPECT_EQ(to_text(parse_worker(*json::Value::parse(to_text(worker), "x"))->value), to_text(worker));
  const service::Task task{"t", service::TaskKind::remove, volume(), Millis(5)};
  EXPECT_EQ(to_text(*parse_task(*json::Value::parse(to_text(task), "x"))), to_text(task));
  service::TaskResult result{"t", make_error(Code::busy, "no", Effect::unknown), {}};
  EXPECT_EQ(to_text(*parse_task_result(*json::Value::parse(to_text(result), "x"))), to_text(result));
}

}  // namespace
}  // namespace volplugin::wire
