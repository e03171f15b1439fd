// SPDX-License-Identifier: Apache-2.0
#include "cli/cli_for_test.h"

#include <cstdio>
#include <fstream>

namespace volplugin::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPolicy =
    R"({"default-options": {"pool": "rbd", "size": "10MB"}, "filesystems": {"ext4": "mkfs.ext4 -m0 %"}})";

class TenantCommands : public CliTest {};

TEST_F(TenantCommands, UploadsFromStandardInput) {
  EXPECT_EQ(run("tenant upload tenant1", kPolicy), 0);
  EXPECT_EQ(out, "tenant1 uploaded\n");
  EXPECT_THAT(fake.calls, ElementsAre("put_tenant tenant1"));
  const auto& stored = fake.tenants.at("tenant1")->value;
  EXPECT_EQ(stored.defaults.size, Bytes::mib(10));
  EXPECT_EQ(stored.filesystems.at("ext4"), "mkfs.ext4 -m0 %");
}

TEST_F(TenantCommands, UploadsFromFile) {
  const std::string path = testing::TempDir() + "volcli_policy.json";
  std::ofstream(path) << kPolicy;
  EXPECT_EQ(run("tenant upload tenant1 -f " + path), 0);
  EXPECT_EQ(run("tenant upload --file=" + path + " tenant2"), 0);
  EXPECT_EQ(run("tenant upload tenant3 -f -", kPolicy), 0);
  EXPECT_EQ(fake.tenants.size(), 3U);
  std::remove(path.c_str());
}

TEST_F(TenantCommands, UploadOfAFileThatIsNotThereIsAUsageError) {
  EXPECT_EQ(run("tenant upload tenant1 -f /nowhere/policy.json"), 2);
  EXPECT_THAT(err, HasSubstr("/nowhere/policy.json"));
  EXPECT_EQ(run("tenant upload tenant1 -f /"), 2);
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(TenantCommands, UploadNamesTheFieldThatIsWrong) {
  EXPECT_EQ(run("tenant upload tenant1", R"({"default-options": {"size": "10"}})"), 2);
  EXPECT_THAT(err, HasSubstr("default-options.size"));
  EXPECT_EQ(run("tenant upload tenant1", R"({"default-optoins": {}})"), 2);
  EXPECT_THAT(err, HasSubstr("default-optoins"));
  EXPECT_EQ(run("tenant upload tenant1", "{"), 2);
  EXPECT_THAT(err, HasSubstr("policy"));
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(TenantCommands, UploadRefusesWhatIsEmptyOrTooLong) {
  EXPECT_EQ(run("tenant upload tenant1", " \n"), 2);
  EXPECT_THAT(err, HasSubstr("standard input is empty"));
  EXPECT_EQ(run("tenant upload tenant1", std::string((1 << 20) + 1, ' ')), 2);
  EXPECT_THAT(err, HasSubstr("longer than 1 MiB"));
  // One MiB exactly is allowed.
  const std::string policy = kPolicy;
  EXPECT_EQ(run("tenant upload tenant1", policy + std::string((1 << 20) - policy.size(), ' ')), 0);
}

TEST_F(TenantCommands, UploadOnATerminalSaysWhatItWaitsFor) {
  in_is_terminal = true;
  EXPECT_EQ(run("tenant upload tenant1", kPolicy), 0);
  EXPECT_THAT(err, HasSubstr("Ctrl-D"));
}

TEST_F(TenantCommands, DeletesWithTheLineThatScriptsKnow) {
  fake.add_tenant("tenant1");
  EXPECT_EQ(run("tenant delete tenant1"), 0);
  EXPECT_EQ(out, "\"tenant1\" removed!\n");
  EXPECT_EQ(run("tenant delete tenant1"), 3);
  EXPECT_THAT(err, HasSubstr("volcli tenant list"));
}

TEST_F(TenantCommands, GetsTheDocumentThatWasUploaded) {
  EXPECT_EQ(run("tenant upload tenant1", kPolicy), 0);
  EXPECT_EQ(run("tenant get tenant1"), 0);
  EXPECT_EQ(out, R"({
  "default-options": {
    "pool": "rbd",
    "size": "10MB"
  },
  "filesystems": {
    "ext4": "mkfs.ext4 -m0 %"
  }
}
)");
  const std::string document = out;
  EXPECT_EQ(run("tenant upload tenant2", document), 0);
  EXPECT_EQ(run("tenant get tenant1 -o json"), 0);
  EXPECT_THAT(out, HasSubstr("\"revision\": 7"));
  EXPECT_EQ(run("tenant upload tenant1", out), 0) << err;
}

TEST_F(TenantCommands, ListsThroughAllPages) {
  for (const char* name : {"a", "b", "c", "d", "e"}) fake.add_tenant(name);
  EXPECT_EQ(run("tenant list"), 0);
  EXPECT_EQ(out, "a\nb\nc\nd\ne\n");
  EXPECT_THAT(fake.calls, ElementsAre("list_tenants tenant='' after=''", "list_tenants tenant='' after='b'",
                                      "list_tenants tenant='' after='d'"));
}

TEST_F(TenantCommands, ListStopsWhenThePagesDoNotMoveOn) {
  for (const char* name : {"a", "b", "c"}) fake.add_tenant(name);
  fake.repeats_pages = true;
  EXPECT_EQ(run("tenant list"), 1);
  EXPECT_EQ(out, "");
}

TEST_F(TenantCommands, ListsInEveryFormat) {
  fake.add_tenant("tenant1");
  out_is_terminal = true;
  EXPECT_EQ(run("tenant list"), 0);
  EXPECT_EQ(out,
            "NAME     BACKEND  POOL  SIZE  FILESYSTEM  SNAPSHOTS\n"
            "tenant1  -        rbd   10MB  -           no\n");
  EXPECT_EQ(run("-o name tenant list"), 0);
  EXPECT_EQ(out, "tenant1\n");
  EXPECT_EQ(run("tenant list --output json"), 0);
  EXPECT_EQ(out, R"([
  {
    "name": "tenant1",
    "revision": 7,
    "default-options": {
      "pool": "rbd",
      "size": "10MB"
    },
    "filesystems": {
      "ext4": "mkfs.ext4 -m0 %"
    }
  }
]
)");
}

TEST_F(TenantCommands, EmptyListsAreNoErrors) {
  EXPECT_EQ(run("tenant list"), 0);
  EXPECT_EQ(out, "");
  EXPECT_EQ(run("tenant list -o json"), 0);
  EXPECT_EQ(out, "[]\n");
  EXPECT_EQ(run("tenant list -o table"), 0);
  EXPECT_EQ(out, "NAME  BACKEND  POOL  SIZE  FILESYSTEM  SNAPSHOTS\n");
}

}  // namespace
}  // namespace volplugin::cli
