// SPDX-License-Identifier: Apache-2.0
#include "backend/lvm/lvm_tool.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace volplugin::backend {
namespace {

using Argv = std::vector<std::string>;

std::string recorded(const std::string& name) {
  std::ifstream file(std::string(SOURCE_DIR "/src/backend/lvm/recorded/") + name);
  EXPECT_TRUE(file) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Op make_op() {
  return Op(system_clock(), Millis(10'000), "test", "test");
}

TEST(LvmArgv, CommandLinesAreExact) {
  const LvmPool thick = *parse_lvm_pool("vg"), thin = *parse_lvm_pool("vg/tp");
  EXPECT_EQ(lvm_argv::create(thick, "t.v", Bytes::mib(8), {"volplugin.uid=1"}),
            (Argv{"lvcreate", "-y", "-Wy", "-n", "t.v", "--addtag", "volplugin.uid=1", "-Zy", "-L",
                  "8388608b", "vg"}));
  EXPECT_EQ(lvm_argv::create(thin, "vp-1", Bytes::mib(8), {"volplugin.uid=1", "volplugin.image=snapshot.v"}),
            (Argv{"lvcreate", "-y", "-Wy", "-n", "vp-1", "--addtag", "volplugin.uid=1", "--addtag",
                  "volplugin.image=snapshot.v", "-V", "8388608b", "--thinpool", "tp", "vg"}));
  EXPECT_EQ(lvm_argv::remove("vg", "t.v"), (Argv{"lvremove", "-y", "vg/t.v"}));
  EXPECT_EQ(lvm_argv::activate("vg", "t.v"), (Argv{"lvchange", "-y", "-ay", "-K", "vg/t.v"}));
  const std::string lv_columns(kVolumeColumns), vg_columns(kGroupColumns);
  EXPECT_EQ(lvm_argv::report_volumes("vg", ""),
            (Argv{"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", lv_columns, "vg"}));
  EXPECT_EQ(lvm_argv::report_volumes("vg", "t.v"),
            (Argv{"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", lv_columns, "-S",
                  "lv_name=\"t.v\"", "vg"}));
  EXPECT_EQ(lvm_argv::report_groups("vg"), (Argv{"vgs", "--reportformat", "json", "--units", "b",
                                                 "--nosuffix", "-o", vg_columns, "-S", "vg_name=\"vg\""}));
}

const LvmVolume* named(const std::vector<LvmVolume>& volumes, const std::string& name) {
  for (const auto& volume : volumes)
    if (volume.name == name) return &volume;
  ADD_FAILURE() << "no volume " << name;
  return nullptr;
}

class LvmRecorded : public testing::TestWithParam<const char*> {};

TEST_P(LvmRecorded, VolumesAreRead) {
  const auto read = parse_volume_report(recorded(std::string("lvs-") + GetParam() + ".json"));
  ASSERT_TRUE(read) << read.error().message;
  const LvmVolume* thick = named(*read, "t1.thick");
  ASSERT_TRUE(thick);
  EXPECT_EQ(thick->size, Bytes::mib(12));
  EXPECT_EQ(thick->type, "linear");
  EXPECT_EQ(thick->tags, "backup,volplugin.uid=u-1");
  EXPECT_EQ(thick->uuid.size(), 64u);
  EXPECT_EQ(thick->uuid.find('-'), std::string::npos);
  EXPECT_EQ(thick->extent_size, Bytes::mib(4));
  EXPECT_EQ(thick->thin_pool, "");
  EXPECT_EQ(thick->health, "");
}

TEST_P(LvmRecorded, GroupsAreRead) {
  const auto read = parse_group_report(recorded(std::string("vgs-") + GetParam() + ".json"));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ(read->front().name, "vp-test");
  EXPECT_GT(read->front().size, read->front().free);
  EXPECT_GT(read->front().free, Bytes{});
  EXPECT_EQ(read->front().extent_size, Bytes::mib(4));
  EXPECT_EQ(read->front().missing_disks, 0u);
}

INSTANTIATE_TEST_SUITE_P(Versions, LvmRecorded, testing::Values("2.03.11", "2.03.16", "2.03.31"),
                         [](const auto& version) {
                           std::string name = version.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(LvmReport, ThinVolumesAndPoolsAreRead) {
  const auto read = parse_volume_report(recorded("lvs-2.03.16.json"));
  ASSERT_TRUE(read) << read.error().message;
  const LvmVolume* pool = named(*read, "tp");
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->type, "thin-pool");
  EXPECT_GT(pool->data_percent, 0.0);
  EXPECT_GT(pool->metadata_percent, 0.0);
  const LvmVolume* thin = named(*read, "t1.thin");
  ASSERT_TRUE(thin);
  EXPECT_EQ(thin->type, "thin");
  EXPECT_EQ(thin->thin_pool, "tp");
  EXPECT_TRUE(thin->open);
  EXPECT_GT(thin->data_percent, 0.0);
}

TEST(LvmReport, EmptyAndUnknownMembersAreFine) {
  EXPECT_TRUE(parse_volume_report(R"({"report":[{"lv":[]}],"log":[]})")->empty());
  // A later LVM with plain numbers, and columns of its own.
  const auto read = parse_volume_report(
      R"({"report":[{"lv":[{"lv_name":"a","vg_uuid":"x-y","lv_uuid":"z","lv_size":8388608,"lv_tags":"","new":[1]}]}]})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->front().size, Bytes::mib(8));
  EXPECT_EQ(read->front().uuid, "xyz");
}

TEST(LvmReport, NonsenseIsCorrupt) {
  for (const char* bad :
       {"", "{", "[]", "{}", R"({"report":{}})", R"({"report":[{}]})", R"({"report":[{"lv":[{}]}]})",
        R"({"report":[{"lv":[{"lv_name":"a","vg_uuid":"x","lv_uuid":"z","lv_size":"4.00m"}]}]})"}) {
    const auto read = parse_volume_report(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, Code::corrupt) << bad;
  }
}

TEST(LvmTool, AGroupThatIsMissingIsNotFound) {
  std::vector<std::string> programs;
  LvmTool tool([&](const Op&, const os::Command& command) -> Result<os::Outcome> {
    programs.push_back(command.argv[0]);
    if (command.argv[0] == "lvs") return os::Outcome{5, 0, "", "Volume group \"vg\" not found", false};
    return os::Outcome{0, 0, R"({"report":[{"vg":[]}]})", "WARNING: something", false};
  });
  const auto found = tool.volume(make_op(), "vg", "t.v");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::not_found);
  EXPECT_EQ(programs, (Argv{"lvs", "vgs"}));
}

TEST(LvmTool, MissingProgramsAreNotTakenForMissingVolumes) {
  LvmTool tool([](const Op&, const os::Command& command) -> Result<os::Outcome> {
    return make_error(Code::not_found,
                      fmt::format("no program {}; install {}", command.argv[0], command.package));
  });
  const auto group = tool.group(make_op(), "vg");
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().code, Code::unsupported);
  EXPECT_NE(group.error().message.find("lvm2"), std::string::npos);
  EXPECT_EQ(tool.volumes(make_op(), "vg").error().code, Code::unsupported);
  EXPECT_EQ(tool.remove(make_op(), "vg", "v").error().code, Code::unsupported);
}

TEST(LvmTool, OtherFailuresAreUnavailableWithLvmsWords) {
  LvmTool tool([&](const Op&, const os::Command& command) -> Result<os::Outcome> {
    if (command.argv[0] == "lvs") return os::Outcome{5, 0, "", "no luck", false};
    return os::Outcome{0, 0, recorded("vgs-2.03.16.json"), "", false};
  });
  const auto found = tool.volumes(make_op(), "vp-test");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unavailable);
  EXPECT_NE(found.error().message.find("no luck"), std::string::npos);
}

}  // namespace
}  // namespace volplugin::backend
