// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
// rapidcheck needs gtest first
#include "model/duration.h"
#include "model/filesystem_command.h"
#include "model/records.h"
#include "model/size.h"

#include <rapidcheck/gtest.h>

namespace volplugin::model {
namespace {

TEST(Names, AcceptsTheDocumentedForms) {
  for (const char* good : {"tenant1/test", "a/b", "T_1-x/v.1_2-3", "0/0"}) {
    const auto id = parse_volume_id(good);
    ASSERT_TRUE(id) << good;
    EXPECT_EQ(id->name(), good);
  }
  EXPECT_EQ(parse_volume_id("tenant1/a.b")->image(), "tenant1.a.b");
  EXPECT_EQ(parse_flat_volume_id("a.b-oS4G")->image(), "a.b-oS4G");
  EXPECT_EQ(parse_flat_volume_id("a.b-oS4G")->name(), "a.b-oS4G");
  EXPECT_FALSE(parse_flat_volume_id("a/b"));
  EXPECT_FALSE(parse_flat_volume_id(""));
}

TEST(Names, RefusesEverythingElseNamingTheRule) {
  const std::string long_tenant(64, 'a');
  const std::string long_volume(128, 'a');
  for (const std::string& bad :
       {std::string(""), std::string("x"), std::string("/x"), std::string("x/"), std::string("a/b/c"),
        std::string("../x"), std::string("x/.."), std::string("x/.y"), std::string("a.b/c"),
        std::string("a b/c"), std::string("a/b c"), std::string("a/\xC3\xBC"), std::string("a/b\n"),
        std::string("a/b\0", 4), std::string("-a/b"), std::string("t//u"), std::string("a/b%2F"),
        long_tenant + "/b", "a/" + long_volume}) {
    const auto id = parse_volume_id(bad);
    ASSERT_FALSE(id) << bad;
    EXPECT_EQ(id.error().code, Code::invalid_argument);
    for (const char c : id.error().message) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << "raw byte in the message";
  }
  EXPECT_TRUE(parse_volume_id(std::string(63, 'a') + "/" + std::string(127, 'b')));
}

TEST(Names, OfSnapshotsHaveThreeParts) {
  const auto id = parse_snapshot_id("t/v.1/20261120T120000.000Z");
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(id->volume.name(), "t/v.1");
  EXPECT_EQ(id->text(), "t/v.1/20261120T120000.000Z");
  for (const std::string& bad : {std::string("t/v"), std::string("t/v/"), std::string("t/v/s/x"),
                                 std::string("t/v/.s"), std::string("t/v/a b"), std::string("t/v/a@b"),
                                 std::string("/v/s"), "t/v/" + std::string(128, 'a')}) {
    const auto refused = parse_snapshot_id(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::invalid_argument);
  }
  EXPECT_TRUE(parse_snapshot_id("t/v/" + std::string(127, 'a')));
}

struct SizeCase {
  const char* text;
  BareNumber bare;
  std::uint64_t bytes;
};

TEST(Size, ReadsTheUnitsWithBase1024) {
  const SizeCase cases[] = {{"10MB", BareNumber::refused, 10u << 20},
                            {"10M", BareNumber::refused, 10u << 20},
                            {"10MiB", BareNumber::refused, 10u << 20},
                            {"10mb", BareNumber::refused, 10u << 20},
                            {"1 GB", BareNumber::refused, 1u << 30},
                            {"512KB", BareNumber::refused, 512u << 10},
                            {"7B", BareNumber::refused, 7},
                            {"1000", BareNumber::mebibytes, 1000ull << 20},
                            {"2TB", BareNumber::mebibytes, 2ull << 40}};
  for (const auto& one : cases) {
    const auto size = parse_size(one.text, one.bare);
    ASSERT_TRUE(size) << one.text;
    EXPECT_EQ(size->count, one.bytes) << one.text;
  }
}

TEST(Size, RefusesWithTheRule) {
  for (const char* bad :
       {"", "0", "0MB", "-1MB", "+1MB", "1.5GB", "10", "10XB", "MB", "10MBB", "99999999999999999999GB",
        "9999999TB", "8388608TB", " 10MB", "10 ", "1GB2MB", "0x10MB"}) {
    const auto size = parse_size(bad, BareNumber::refused);
    ASSERT_FALSE(size) << bad;
    EXPECT_NE(size.error().message.find("unit, one of"), std::string::npos);
  }
}

RC_GTEST_PROP(Size, FormatReadsBackExactly, (std::uint64_t raw)) {
  const Bytes size{raw % kMaxSize.count + 1};
  RC_ASSERT(*parse_size(format_size(size), BareNumber::refused) == size);
}

TEST(Duration, ReadsGoNotation) {
  using namespace std::chrono_literals;
  EXPECT_EQ(*parse_duration("30m"), 30min);
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("2us3ns"), 2003ns);
  EXPECT_EQ(*parse_duration("0"), 0s);
  for (const char* bad : {"", "10", "10d", "-5m", "h", "1h-2m", "99999999999h", "1..5s", "."})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

RC_GTEST_PROP(Duration, FormatReadsBackExactly, (std::uint64_t raw)) {
  const std::chrono::nanoseconds duration(static_cast<std::int64_t>(raw >> 2));
  RC_ASSERT(*parse_duration(format_duration(duration)) == duration);
}

TEST(FilesystemCommand, PercentIsTheDeviceAndDoubledALiteral) {
  EXPECT_EQ(expand_filesystem_command("mkfs.ext4 -m0 %", "/dev/x"), "mkfs.ext4 -m0 /dev/x");
  EXPECT_EQ(expand_filesystem_command("%% %", "D"), "% D");
  EXPECT_EQ(expand_filesystem_command("%%%", "D"), "%D");
  EXPECT_EQ(expand_filesystem_command("% test % test %", "D"), "D test D test D");
  for (const char* bad : {"", "mkfs.ext4", "%%", "echo %%%%"})
    EXPECT_FALSE(check_filesystem_command(bad, "filesystems.x")) << bad;
  EXPECT_TRUE(check_filesystem_command("%%%", "filesystems.x"));
}

TEST(FilesystemCommand, PlainOnesTakeNoShell) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(plain_words("mkfs.ext4 -m0 /dev/loop0"), (Words{"mkfs.ext4", "-m0", "/dev/loop0"}));
  EXPECT_EQ(plain_words("mkfs.xfs  -q -m reflink=1 /dev/mapper/vg-t.v "),
            (Words{"mkfs.xfs", "-q", "-m", "reflink=1", "/dev/mapper/vg-t.v"}));
  EXPECT_EQ(plain_words("mkfs -t ext4 /dev/x"), (Words{"mkfs", "-t", "ext4", "/dev/x"}));
  for (const char* shell :
       {"mkfs.ext4 /dev/x && true", "mkfs.ext4 '/dev/x'", "mkfs.ext4 $X /dev/x", "mkfs.ext4 /dev/x\nid",
        "mkfs=x id /dev/x", "exec mkfs.ext4 /dev/x", "mkfs.ext4 ~/x /dev/x", "mkfs.ext4 /dev/x >/tmp/y",
        "mkfs.ext4 *", "mkfs.ext4 /dev/x # y", "mkfs.ext4\t/dev/x", ""})
    EXPECT_TRUE(plain_words(shell).empty()) << shell;
}

TEST(Options, DriverOptionsOverrideThePolicy) {
  OptionSet policy;
  policy.size = Bytes::gib(1);
  policy.filesystem = "ext4";
  ServerDefaults defaults{"loop", {{"loop", "default"}}};
  const auto asked = parse_driver_options(
      {{"size", "1000"}, {"ephemeral", "T"}, {"snapshots.keep", "3"}, {"rate-limit.write.bps", "42"}});
  ASSERT_TRUE(asked);
  const auto options = resolve_options(policy, *asked, defaults);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->size, Bytes::mib(1000));
  EXPECT_TRUE(options->ephemeral);
  EXPECT_EQ(options->pool, "default");
  EXPECT_EQ(options->rate_limit.write_bps, 42u);
  EXPECT_EQ(options->snapshot_keep, 3u);
}

TEST(Options, AnUnknownOptionNamesTheValidOnes) {
  const auto asked = parse_driver_options({{"sise", "1"}});
  ASSERT_FALSE(asked);
  for (const auto& key : driver_option_keys()) EXPECT_NE(asked.error().message.find(key), std::string::npos);
  EXPECT_EQ(driver_option_keys().size(), 15u);
}

TEST(Options, BadValuesNameTheOption) {
  for (const auto& [key, value] : std::map<std::string, std::string>{{"size", ""},
                                                                     {"size ", "1"},
                                                                     {"ephemeral", "yes"},
                                                                     {"snapshots.keep", "-1"},
                                                                     {"snapshots.keep", "4294967296"},
                                                                     {"snapshots.frequency", "10d"},
                                                                     {"rate-limit.read.iops", "1.5"},
                                                                     {"filesystem", "../x"}})
    EXPECT_FALSE(parse_driver_options({{key, value}})) << key << "=" << value;
}

TEST(Options, NoPoolIsSaidAsTheDocumentSaysIt) {
  OptionSet policy;
  policy.size = Bytes::gib(1);
  const auto options = resolve_options(policy, {}, {"ceph", {}});
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().message.find("No Pool specified"), std::string::npos);
}

TEST(Options, APoolOfThePolicyIsNotUsedForAnotherBackend) {
  OptionSet policy;
  policy.size = Bytes::gib(1);
  policy.backend = "lvm";
  policy.pool = "vg0";
  OptionSet asked;
  asked.backend = "loop";
  const auto options = resolve_options(policy, asked, {"loop", {{"loop", "default"}}});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->pool, "default");
}

TEST(Options, TheDifferenceIsNamed) {
  VolumeOptions is{"loop", "default", Bytes::gib(1), "ext4"};
  VolumeOptions asked = is;
  EXPECT_EQ(difference(is, asked), "");
  asked.size = Bytes::gib(2);
  asked.ephemeral = true;
  EXPECT_EQ(difference(is, asked), "size is 1GB, not 2GB; ephemeral is false, not true");
}

Tenant tenant() {
  Tenant made{*TenantTag::parse("t"), {}, {}};
  made.defaults.size = Bytes::gib(1);
  return made;
}

TEST(Tenant, GetsTheDefaultCommandAndKeepsItsOwn) {
  EXPECT_EQ(validate_tenant(tenant())->filesystems.at("ext4"), "mkfs.ext4 -m0 %");
  Tenant own = tenant();
  own.filesystems = {{"xfs", "mkfs.xfs %"}};
  EXPECT_EQ(validate_tenant(own)->filesystems.size(), 1u);
}

TEST(Tenant, RulesNameTheField) {
  Tenant no_size = tenant();
  no_size.defaults.size.reset();
  EXPECT_NE(validate_tenant(no_size).error().message.find("default-options.size"), std::string::npos);
  Tenant unknown = tenant();
  unknown.defaults.filesystem = "zfs";
  EXPECT_NE(validate_tenant(unknown).error().message.find("default-options.filesystem"), std::string::npos);
  Tenant no_percent = tenant();
  no_percent.filesystems = {{"ext4", "mkfs.ext4"}};
  EXPECT_NE(validate_tenant(no_percent).error().message.find("filesystems.ext4"), std::string::npos);
  Tenant snapshots = tenant();
  snapshots.defaults.snapshots = true;
  EXPECT_NE(validate_tenant(snapshots).error().message.find("default-options.snapshot"), std::string::npos);
}

}  // namespace
}  // namespace volplugin::model
