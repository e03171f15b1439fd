// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_for_test.h"

namespace volplugin::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SnapshotCommands : public CliTest {};

TEST_F(SnapshotCommands, TakePrintsTheName) {
  EXPECT_EQ(run("snapshot take tenant1/test"), 0);
  EXPECT_EQ(out, "tenant1/test/made-up\n");
  EXPECT_EQ(run("snapshot take tenant1 test --name s1"), 0);
  EXPECT_EQ(out, "tenant1/test/s1\n");
  EXPECT_EQ(run("snapshot take tenant1/test -q"), 0);
  EXPECT_EQ(out, "");
  EXPECT_EQ(run("snapshot take tenant1/test -o json"), 0);
  EXPECT_THAT(out, HasSubstr("\n  \"phase\": \"ready\","));
}

TEST_F(SnapshotCommands, ListsOfOneVolumeAndOfAll) {
  for (const char* name : {"t1/a/s1", "t1/a/s2", "t1/a/s3", "t1/ab/s1"}) fake.add_snapshot(name);
  EXPECT_EQ(run("snapshot list t1/a"), 0);
  EXPECT_EQ(out, "t1/a/s1\nt1/a/s2\nt1/a/s3\n");
  EXPECT_THAT(fake.calls, ElementsAre("list_snapshots tenant='' volume='t1/a' after=''",
                                      "list_snapshots tenant='' volume='t1/a' after='t1/a/s2'"));
  EXPECT_EQ(run("snapshot list-all -o table"), 0);
  EXPECT_THAT(out,
              HasSubstr("NAME      SIZE  PHASE  TAKEN\nt1/a/s1   10MB  ready  2026-11-20T12:00:00.000Z\n"));
}

TEST_F(SnapshotCommands, GetAndRemove) {
  fake.add_snapshot("t1/a/s1");
  EXPECT_EQ(run("snapshot get t1/a/s1"), 0);
  EXPECT_THAT(out, HasSubstr("\"volume-uid\": \"uid-1\""));
  EXPECT_EQ(run("snapshot remove t1/a/s1"), 0);
  EXPECT_EQ(out, "removed t1/a/s1\n");
  EXPECT_EQ(run("snapshot remove t1/a/s1"), 3);
  EXPECT_THAT(err, HasSubstr("'volcli snapshot list-all' shows the snapshots."));
}

TEST_F(SnapshotCommands, NamesAreCheckedBeforeAnythingIsAsked) {
  for (const char* bad :
       {"take t1", "take t1/a --name a/b", "take t1/a --name", "take", "list t1", "list", "get t1/a",
        "get t1/a/s/x", "get t1 a s", "remove t1/a", "remove t1/a/s@x", "remove"})
    EXPECT_EQ(run(fmt::format("snapshot {}", bad)), 2) << bad;
  EXPECT_THAT(fake.calls, ElementsAre());
}

}  // namespace
}  // namespace volplugin::cli
