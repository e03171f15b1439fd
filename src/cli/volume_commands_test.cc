// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_for_test.h"

namespace volplugin::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class VolumeCommands : public CliTest {};

TEST_F(VolumeCommands, CreatesByEitherFormOfTheName) {
  EXPECT_EQ(run("volume create tenant1/test"), 0);
  EXPECT_EQ(out, "tenant1/test\n");
  EXPECT_EQ(err, "");
  EXPECT_EQ(run("volume create tenant1 test"), 0);
  EXPECT_EQ(out, "tenant1/test\n");
  EXPECT_THAT(fake.calls, ElementsAre("create_volume tenant1/test", "create_volume tenant1/test"));
}

TEST_F(VolumeCommands, CreatesWithOptionsAndNode) {
  EXPECT_EQ(run("volume create --opt size=2GB tenant1/test --opt filesystem=ext4 --node host1"), 0);
  EXPECT_THAT(fake.calls, ElementsAre("create_volume tenant1/test filesystem=ext4 size=2GB on host1"));
}

TEST_F(VolumeCommands, OptionValuesMayContainEquals) {
  EXPECT_EQ(run("volume create tenant1 test --opt pool=a=b"), 0);
  EXPECT_THAT(fake.calls, ElementsAre("create_volume tenant1/test pool=a=b"));
}

TEST_F(VolumeCommands, RefusesBadOptionsWithoutAsking) {
  for (const char* bad : {"--opt size", "--opt =3", "--opt sise=3", "--opt size=x",
                          "--opt size=1 --opt size=2", "--node -x", "--node a/b"}) {
    EXPECT_EQ(run(fmt::format("volume create tenant1/test {}", bad)), 2) << bad;
    EXPECT_THAT(err, HasSubstr("Error: ")) << bad;
  }
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(VolumeCommands, Adopts) {
  EXPECT_EQ(run("volume adopt tenant1/test"), 0);
  EXPECT_EQ(out, "tenant1/test\n");
  EXPECT_THAT(err, HasSubstr("containers get its directory 'data'"));
  EXPECT_EQ(run("volume adopt tenant1 test --opt pool=other --layout root --yes"), 0);
  EXPECT_THAT(err, HasSubstr("both may write"));
  EXPECT_THAT(fake.calls, ElementsAre("adopt_volume tenant1/test",
                                      "adopt_volume tenant1/test pool=other layout root confirmed"));
  EXPECT_EQ(run("volume adopt tenant1/test -q"), 0);
  EXPECT_EQ(out + err, "");
  EXPECT_EQ(run("volume adopt tenant1/test -o json"), 0);
  EXPECT_THAT(out, HasSubstr("\n  \"phase\": \"ready\","));
}

TEST_F(VolumeCommands, RefusesBadAdoptionsWithoutAsking) {
  for (const char* bad : {"--layout", "--layout home", "--opt sise=3", "--image x", "--node n"}) {
    EXPECT_EQ(run(fmt::format("volume adopt tenant1/test {}", bad)), 2) << bad;
    EXPECT_THAT(err, HasSubstr("Error: ")) << bad;
  }
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(VolumeCommands, SaysThatTheVolumeWasThereAlready) {
  fake.created = false;
  EXPECT_EQ(run("volume create tenant1/test"), 0);
  EXPECT_EQ(out, "tenant1/test\n");
  EXPECT_THAT(err, HasSubstr("already"));
  EXPECT_EQ(run("volume create tenant1/test -q"), 0);
  EXPECT_EQ(out + err, "");
}

TEST_F(VolumeCommands, GetPrintsJsonWhateverTheFormat) {
  fake.add_volume("tenant1/test");
  EXPECT_EQ(run("volume get tenant1/test"), 0);
  const std::string json = out;
  EXPECT_THAT(json, AllOf(HasSubstr("{\n  \"tenant\": \"tenant1\",\n  \"name\": \"test\",\n"),
                          HasSubstr("\n  \"phase\": \"ready\","), HasSubstr("\n  \"revision\": 7\n}\n")));
  out_is_terminal = true;
  EXPECT_EQ(run("volume get tenant1 test -o table"), 0);
  EXPECT_EQ(out, json);
  EXPECT_EQ(run("volume get tenant1/other"), 3);
}

TEST_F(VolumeCommands, ListsOneTenantWithoutItsName) {
  for (const char* name : {"t1/a", "t1/b", "t1/c", "t2/d"}) fake.add_volume(name);
  EXPECT_EQ(run("volume list t1"), 0);
  EXPECT_EQ(out, "a\nb\nc\n");
  EXPECT_THAT(fake.calls,
              ElementsAre("list_volumes tenant='t1' after=''", "list_volumes tenant='t1' after='t1/b'"));
  out_is_terminal = true;
  EXPECT_EQ(run("volume list t2"), 0);
  EXPECT_EQ(out,
            "NAME  SIZE  PHASE  BACKEND  POOL     FILESYSTEM  NODE\n"
            "d     10MB  ready  loop     default  ext4        -\n");
}

TEST_F(VolumeCommands, ListOfAnUnknownTenantIsNotFound) {
  EXPECT_EQ(run("volume list t1"), 3);
  EXPECT_EQ(out, "");
  fake.add_tenant("t1");
  EXPECT_EQ(run("volume list t1"), 0);
  EXPECT_EQ(out, "");
}

TEST_F(VolumeCommands, ListOfADeletedTenantShowsWhatItLeft) {
  fake.add_volume("t1/a");
  EXPECT_EQ(run("volume list t1"), 0);
  EXPECT_EQ(out, "a\n");
}

TEST_F(VolumeCommands, ListsAllTenants) {
  for (const char* name : {"t1/a", "t1/b", "t2/c"}) fake.add_volume(name);
  EXPECT_EQ(run("volume list-all"), 0);
  EXPECT_EQ(out, "t1/a\nt1/b\nt2/c\n");
  EXPECT_EQ(run("volume list-all -o json"), 0);
  EXPECT_THAT(out, HasSubstr("[\n  {\n    \"tenant\": \"t1\",\n"));
}

TEST_F(VolumeCommands, RemovesWithTheData) {
  fake.add_volume("tenant1/test");
  EXPECT_EQ(run("volume remove tenant1 test"), 0);
  EXPECT_EQ(out, "removed tenant1/test\n");
  EXPECT_EQ(run("volume remove tenant1/test"), 3);
  EXPECT_THAT(fake.calls, ElementsAre("remove_volume tenant1/test delete_data",
                                      "remove_volume tenant1/test delete_data"));
}

TEST_F(VolumeCommands, ForceRemoveTellsThatTheDataStays) {
  fake.add_volume("tenant1/test");
  EXPECT_EQ(run("volume force-remove tenant1/test"), 0);
  EXPECT_EQ(out, "forgot tenant1/test\n");
  EXPECT_THAT(err, AllOf(HasSubstr("Warning: "), HasSubstr("'tenant1.test'")));
  EXPECT_THAT(fake.calls, ElementsAre("remove_volume tenant1/test forget_record"));
  EXPECT_EQ(run("volume force-remove tenant1 test"), 3);
  EXPECT_EQ(err.find("Warning"), err.npos);
}

TEST_F(VolumeCommands, NamesAreCheckedBeforeAnythingIsAsked) {
  for (const char* command : {"create", "get", "remove", "force-remove"}) {
    for (const char* name : {"tenant1", "tenant1/", "/test", "a/b/c", "a/b c", "../x", "a. b", "a/../b"})
      EXPECT_EQ(run(fmt::format("volume {} {}", command, name)), 2) << command << " " << name;
    EXPECT_EQ(run(fmt::format("volume {}", command)), 2);
    EXPECT_EQ(run(fmt::format("volume {} a b c", command)), 2);
  }
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(VolumeCommands, TenantsAndVolumesMayBeCalledLikeCommands) {
  EXPECT_EQ(run("volume create volume list"), 0);
  EXPECT_EQ(run("volume create help create"), 0);
  EXPECT_EQ(run("volume create tenant/help -o json"), 0);
  fake.add_tenant("list");
  EXPECT_EQ(run("tenant get list"), 0) << err;
  EXPECT_THAT(fake.calls, ElementsAre("create_volume volume/list", "create_volume help/create",
                                      "create_volume tenant/help", "get_tenant list"));
}

}  // namespace
}  // namespace volplugin::cli
