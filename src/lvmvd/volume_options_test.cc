// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/volume_options.h"

#include "model/filesystem_command.h"
#include "model/size.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volplugin::lvmvd {
namespace {

using testing::HasSubstr;
using Options = std::map<std::string, std::string>;

constexpr Bytes kDefault = Bytes::mib(77);

TEST(SizeInNameTest, TheEndOfTheName) {
  const std::vector<std::pair<std::string, std::optional<Bytes>>> cases{
      {"a", std::nullopt},
      {"", std::nullopt},
      {"a-oS4G", Bytes::gib(4)},
      {"a-oS4M", Bytes::mib(4)},
      {"a-oS4", Bytes::mib(4)},
      {"-oS24", Bytes::mib(24)},
      {"a-oS8-oS12", Bytes::mib(12)},
      {"a-oS8G-oS12", Bytes::mib(12)},
      {"a-oS007", Bytes::mib(7)},
      {"a-oS0", std::nullopt},
      {"a-oS0G", std::nullopt},
      {"a-oS", std::nullopt},
      {"a-oSG", std::nullopt},
      {"a-oS4g", std::nullopt},
      {"a-oS4m", std::nullopt},
      {"a-oS4K", std::nullopt},
      {"a-oS4T", std::nullopt},
      {"a-oS4GB", std::nullopt},
      {"a-oS4GG", std::nullopt},
      {"a-oS4G ", std::nullopt},
      {"a-oS4G-b", std::nullopt},
      {"a-os4G", std::nullopt},
      {"a-OS4G", std::nullopt},
      {"aoS4G", std::nullopt},
      {"a-oS-4", std::nullopt},
      {"a-oS1.5G", std::nullopt},
      {"a-oS4x5", std::nullopt},
      {"a-oS8589934591G", Bytes{8589934591ull << 30}},
      {"a-oS8796093022207M", Bytes{8796093022207ull << 20}},
  };
  for (const auto& [name, size] : cases) {
    const auto found = size_in_name(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(*found, size) << name;
  }
}

TEST(SizeInNameTest, WhatNoNumberCanHoldIsRefused) {
  for (const std::string name : {"a-oS99999999999999999999G", "a-oS99999999999999999999", "a-oS8589934592G",
                                 "a-oS8796093022208", "a-oS18446744073709551615"}) {
    const auto found = size_in_name(name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, Code::invalid_argument);
    EXPECT_THAT(found.error().message, HasSubstr("'" + name + "' is too large"));
  }
}

TEST(VolumeOptionsTest, OptionThenNameThenDefault) {
  const std::vector<std::tuple<std::string, Options, Bytes>> cases{
      {"a", {}, kDefault},
      {"a-oS8", {}, Bytes::mib(8)},
      {"a-oS0", {}, kDefault},
      {"a", {{"size", "9"}}, Bytes::mib(9)},
      {"a", {{"Size", "9"}}, Bytes::mib(9)},
      {"a-oS8", {{"size", "1GB"}}, Bytes::gib(1)},
      {"a-oS99999999999999999999G", {{"size", "2g"}}, Bytes::gib(2)},
      {"a", {{"size", "1048576B"}}, Bytes::mib(1)},
  };
  for (const auto& [name, options, size] : cases) {
    const auto volume = parse_volume_options(name, options, kDefault);
    ASSERT_TRUE(volume) << name << volume.error().message;
    EXPECT_EQ(volume->size, size) << name;
    EXPECT_EQ(volume->filesystem, "ext4");
  }
}

TEST(VolumeOptionsTest, WhatIsRefusedNamesTheRule) {
  const std::vector<std::tuple<std::string, Options, std::string>> cases{
      {"a", {{"size", "0"}}, "size '0' is zero"},
      {"a", {{"size", "-5"}}, "has a sign"},
      {"a", {{"size", ""}}, "is empty"},
      {"a", {{"size", "ten"}}, "does not start with a number"},
      {"a", {{"size", "1023K"}}, "size '1023K' is too small: a volume has at least 1MB"},
      {"a", {{"size", "8388608T"}}, "is too large"},
      {"a", {{"size", "1"}, {"Size", "1"}}, "give one of them"},
      {"a-oS99999999999999999999G", {}, "is too large"},
      {"a", {{"filesystem", "zfs"}}, "'zfs' is unknown; the file systems are ext4, ext3, ext2, xfs, btrfs"},
      {"a", {{"filesystem", "ext4 -F"}}, "'ext4 -F' is unknown"},
      {"a", {{"filesystem", ""}}, "'' is unknown"},
      {"a",
       {{"colour", "red"}, {"SIZE", "1"}},
       "unknown option SIZE, colour; the options are size, filesystem"},
  };
  for (const auto& [name, options, message] : cases) {
    const auto volume = parse_volume_options(name, options, kDefault);
    ASSERT_FALSE(volume) << message;
    EXPECT_EQ(volume.error().code, Code::invalid_argument);
    EXPECT_THAT(volume.error().message, HasSubstr(message));
  }
}

TEST(VolumeOptionsTest, EveryFileSystemHasACommandForItsDevice) {
  for (const std::string name : {"ext4", "ext3", "ext2", "xfs", "btrfs"}) {
    const auto volume = parse_volume_options("a", {{"filesystem", name}}, kDefault);
    ASSERT_TRUE(volume) << name;
    const auto command = filesystem_command(volume->filesystem);
    ASSERT_TRUE(command) << name;
    EXPECT_TRUE(model::check_filesystem_command(*command, name));
    EXPECT_EQ(model::expand_filesystem_command(*command, "/dev/x"), "mkfs." + name + " -q /dev/x");
  }
}

}  // namespace
}  // namespace volplugin::lvmvd
