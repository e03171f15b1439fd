// SPDX-License-Identifier: Apache-2.0
// mount, node, operation, version, health.
#include "cli/cli_for_test.h"

namespace volplugin::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class OtherCommands : public CliTest {};

TEST_F(OtherCommands, MountList) {
  for (const char* name : {"t1/a", "t1/b", "t2/c"}) fake.add_mount(name, "host1");
  EXPECT_EQ(run("mount list"), 0);
  EXPECT_EQ(out, "t1/a\nt1/b\nt2/c\n");
  fake.mounts.erase("t1/b");
  fake.mounts.erase("t2/c");
  EXPECT_EQ(run("mount list -o table"), 0);
  EXPECT_EQ(out,
            "VOLUME  NODE   PHASE    USES  SINCE\n"
            "t1/a    host1  mounted  1     2026-11-20T12:00:00.000Z\n");
}

TEST_F(OtherCommands, MountGet) {
  fake.add_mount("t1/a", "host1");
  EXPECT_EQ(run("mount get t1/a"), 0);
  const std::string json = out;
  EXPECT_THAT(json, HasSubstr("\n  \"node\": \"host1\",\n"));
  EXPECT_EQ(run("mount get t1 a"), 0);
  EXPECT_EQ(out, json);
  EXPECT_EQ(run("mount get t1/b"), 3);
  EXPECT_THAT(err, HasSubstr("volcli mount list"));
}

TEST_F(OtherCommands, MountForceRemoveInAScriptWarnsAndLeavesItToVolmaster) {
  fake.add_mount("t1/a", "host1");
  EXPECT_EQ(run("mount force-remove t1 a"), 0);
  EXPECT_EQ(out, "forgot the mount of t1/a\n");
  EXPECT_THAT(err, AllOf(HasSubstr("Warning: "), HasSubstr("node host1 may still write to t1/a")));
  EXPECT_THAT(fake.calls, ElementsAre("get_mount t1/a", "forget_mount t1/a of claim-1"));
  EXPECT_EQ(run("mount force-remove t1/a"), 3);
  EXPECT_EQ(err.find("Warning"), err.npos);
}

TEST_F(OtherCommands, MountForceRemoveAsksOnATerminal) {
  in_is_terminal = true;
  for (const char* answer : {"", "\n", "n\n", "yess\n"}) {
    fake.add_mount("t1/a", "host1");
    EXPECT_EQ(run("mount force-remove t1/a", answer), 1) << answer;
    EXPECT_THAT(err, AllOf(HasSubstr("[y/N]"), HasSubstr("nothing was changed")));
    EXPECT_EQ(fake.mounts.size(), 1U);
  }
  for (const char* answer : {"y\n", "Y\n", "yes\n"}) {
    fake.add_mount("t1/a", "host1");
    EXPECT_EQ(run("mount force-remove t1/a", answer), 0) << answer;
    EXPECT_EQ(fake.mounts.size(), 0U);
    EXPECT_EQ(fake.calls.back(), "forget_mount t1/a of claim-1 confirmed");
  }
  fake.add_mount("t1/a", "host1");
  fake.calls.clear();
  EXPECT_EQ(run("mount force-remove t1/a --yes"), 0);
  EXPECT_THAT(fake.calls, ElementsAre("get_mount t1/a", "forget_mount t1/a of claim-1 confirmed"));
  EXPECT_EQ(err.find("[y/N]"), err.npos);
  EXPECT_THAT(err, HasSubstr("Warning: "));
}

TEST_F(OtherCommands, MountForceRemoveOfARecordThatCannotBeRead) {
  fake.mount_failure = make_error(Code::corrupt, "no record of this form");
  EXPECT_EQ(run("mount force-remove t1/a"), 0);
  EXPECT_THAT(fake.calls, ElementsAre("get_mount t1/a", "forget_mount t1/a of anybody"));
}

TEST_F(OtherCommands, Nodes) {
  fake.add_node("host1");
  EXPECT_EQ(run("node list"), 0);
  EXPECT_EQ(out, "host1\n");
  EXPECT_EQ(run("node list -o table"), 0);
  EXPECT_EQ(out,
            "NAME   VERSION  STATE  CONNECTED  BACKENDS  STARTED\n"
            "host1  9.8.7    ready  yes        loop,lvm  2026-11-20T12:00:00.000Z\n");
  EXPECT_EQ(run("node get host1"), 0);
  EXPECT_THAT(out, HasSubstr("{\n  \"name\": \"host1\",\n"));
  EXPECT_EQ(run("node get host2"), 3);
  EXPECT_EQ(run("node get ../x"), 2);
}

TEST_F(OtherCommands, OperationGet) {
  fake.operations.push_back({"op1", "create", "t1/a", "failed", "no space", FakeCluster::noon()});
  EXPECT_EQ(run("operation get op1"), 0);
  EXPECT_THAT(out,
              AllOf(HasSubstr("{\n  \"id\": \"op1\",\n"), HasSubstr("no space"), testing::EndsWith("}\n")));
  EXPECT_EQ(run("operation get op2"), 3);
  EXPECT_THAT(err, HasSubstr("volcli operation list"));
  EXPECT_EQ(run("operation get"), 2);
  EXPECT_THAT(err, HasSubstr("ID is missing"));
}

TEST_F(OtherCommands, OperationList) {
  fake.operations.push_back({"op1", "create", "t1/a", "failed", "no\nspace", FakeCluster::noon()});
  EXPECT_EQ(run("operation list"), 0);
  EXPECT_EQ(out, "op1\n");
  EXPECT_EQ(run("operation list -o table"), 0);
  // What a server says must not be able to break the lines.
  EXPECT_EQ(out,
            "ID   KIND    VOLUME  STATE   SINCE                     MESSAGE\n"
            "op1  create  t1/a    failed  2026-11-20T12:00:00.000Z  no\\x0aspace\n");
  EXPECT_EQ(run("operation list -o json"), 0);
  EXPECT_THAT(out, HasSubstr("[\n  {\n    \"id\": \"op1\",\n"));
}

TEST_F(OtherCommands, VersionWithAndWithoutVolmaster) {
  EXPECT_EQ(run("version"), 0);
  EXPECT_THAT(out, AllOf(testing::StartsWith("volcli "), HasSubstr("\nvolmaster 9.8.7\n")));
  EXPECT_EQ(run("version -o json"), 0);
  EXPECT_THAT(out, HasSubstr("\n  \"volmaster\": \"9.8.7\"\n}\n"));
  connect_failure = make_error(Code::unavailable, "nobody there");
  EXPECT_EQ(run("version"), 0);
  EXPECT_THAT(out, testing::StartsWith("volcli "));
  EXPECT_THAT(err, HasSubstr("nobody there"));
  EXPECT_EQ(run("--version"), 0);
  EXPECT_THAT(out, testing::StartsWith("volcli "));
  EXPECT_EQ(err, "");
}

TEST_F(OtherCommands, Health) {
  EXPECT_EQ(run("health"), 0);
  EXPECT_EQ(out, "volmaster 9.8.7 ok\nstore ok\n");
  fake.state = {false, "disk full", "9.8.7"};
  EXPECT_EQ(run("health"), 5);
  EXPECT_EQ(out, "volmaster 9.8.7 not ok\nstore disk full\n");
  EXPECT_THAT(err, HasSubstr("disk full"));
  EXPECT_EQ(run("health -o json"), 5);
  EXPECT_THAT(out, HasSubstr("\"ok\": false"));
}

}  // namespace
}  // namespace volplugin::cli
