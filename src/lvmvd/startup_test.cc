// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/startup.h"

#include "os/scratch.h"

#include <vector>

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace volplugin::lvmvd {
namespace {

using testing::StartsWith;

class StartupTest : public testing::Test {
 protected:
  Settings good() {
    Settings settings;
    settings.volume_group = "vg";
    settings.mount_root = scratch_ / "mounts";
    return settings;
  }
  Result<std::string> prepare(const Settings& settings) {
    return prepare_start(settings, conditions_,
                         Group(group_, [this](const std::string& line) { warnings_.push_back(line); }));
  }
  std::string refusal(const Settings& settings) {
    const auto prepared = prepare(settings);
    return prepared ? "accepted " + *prepared : prepared.error().message;
  }
  // "750 0 1": mode, owner and group of a file.
  static std::string access_of(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return "missing";
    return fmt::format("{:o} {} {}", status.st_mode & 07777, status.st_uid, status.st_gid);
  }

  os::ScratchDir scratch_;
  std::string group_ = "daemon";  // everywhere, unlike docker
  std::string daemon_ = std::to_string(::getgrnam("daemon")->gr_gid);
  std::vector<std::string> warnings_;
  int looks_ = 0;  // for the volume group
  Result<bool> exists_ = true;
  StartConditions conditions_{"./lvmvd", 0, [this] {
                                ++looks_;
                                return exists_;
                              }};
};

TEST_F(StartupTest, MakesTheMountRootForRootAndTheGroup) {
  const mode_t before = ::umask(077);
  const auto prepared = prepare(good());
  ::umask(before);
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(*prepared, scratch_ / "mounts");
  EXPECT_EQ(access_of(*prepared), "750 0 " + daemon_);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(StartupTest, OfAMountRootThatExistsOnlyTheOwnersChange) {
  const Settings settings = good();
  ASSERT_EQ(::mkdir(settings.mount_root.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(settings.mount_root.c_str(), 0711), 0);
  ASSERT_TRUE(prepare(settings));
  ASSERT_TRUE(prepare(settings));
  EXPECT_EQ(access_of(settings.mount_root), "711 0 " + daemon_);
}

TEST_F(StartupTest, WithoutTheGroupThereIsOnlyAWarning) {
  group_ = "no-such-group";
  const Settings settings = good();
  ASSERT_TRUE(prepare(settings));
  EXPECT_EQ(access_of(settings.mount_root).substr(0, 5), "750 0");
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_EQ(warnings_.front(), "Warning: could not change group " + settings.mount_root +
                                   " to no-such-group: there is no group no-such-group");
}

TEST_F(StartupTest, MakesWhatIsAboveTheMountRoot) {
  Settings settings = good();
  settings.mount_root = scratch_ / "a/b/c";
  ASSERT_TRUE(prepare(settings));
  EXPECT_EQ(access_of(scratch_ / "a/b"), "750 0 0");
  EXPECT_EQ(access_of(scratch_ / "a/b/c"), "750 0 " + daemon_);
}

TEST_F(StartupTest, TheMountRootIsWhatTheKernelWillShow) {
  Settings settings = good();
  ASSERT_EQ(::mkdir((scratch_ / "real").c_str(), 0755), 0);
  ASSERT_EQ(::symlink("real", (scratch_ / "link").c_str()), 0);
  for (const std::string& given :
       {scratch_ / "link/m", scratch_ / "/real//./m/", scratch_ / "real/../link/m//"}) {
    settings.mount_root = given;
    EXPECT_EQ(prepare(settings).value_or("refused"), scratch_ / "real/m") << given;
  }
}

TEST_F(StartupTest, WhatIsNoDirectoryIsRefused) {
  Settings settings = good();
  ASSERT_EQ(::mkdir((scratch_ / "real").c_str(), 0755), 0);
  ASSERT_EQ(::symlink("real", (scratch_ / "link").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (scratch_ / "dangling").c_str()), 0);
  ASSERT_TRUE(os::write_file_atomically(scratch_ / "file", "x", 0600, os::Durability::none));
  ASSERT_EQ(::symlink("real", (scratch_ / "per%s%d").c_str()), 0);
  for (const std::string name : {"link", "dangling", "file", "per%s%d"}) {
    const std::string path = scratch_ / name;
    for (const std::string slash : {"", "/"}) {
      settings.mount_root = path + slash;
      EXPECT_EQ(refusal(settings), path + " exists and does not appear to be a directory.");
    }
  }
  EXPECT_EQ(access_of(scratch_ / "real"), "755 0 0");
}

// Each case breaks everything that is checked later too, so the order shows.
TEST_F(StartupTest, TheOrderOfTheChecks) {
  conditions_.user = 1000;
  exists_ = false;
  Settings settings;
  settings.listener = "tcp%s";
  settings.port = "0";
  EXPECT_EQ(refusal(settings), "unrecognized listener tcp%s");
  settings.listener = "http";
  EXPECT_EQ(refusal(settings), "--port '0' is not a number from 1 to 65535");
  settings.port = "65535";
  settings.host = "";
  EXPECT_THAT(refusal(settings), StartsWith("--host is empty"));
  settings.host = "localhost";
  EXPECT_EQ(refusal(settings) + "\n", "must specify a root directory for mounted filesystems\n" + usage());
  settings.mount_root = "//./";
  EXPECT_THAT(refusal(settings), StartsWith("--mount-root must not be the root directory"));
  settings.mount_root = scratch_ / "mounts";
  EXPECT_EQ(refusal(settings), "./lvmvd must be run as root.");
  conditions_.user = 0;
  EXPECT_EQ(refusal(settings), "No such volume group: ");
  EXPECT_EQ(looks_, 0) << "an empty name is not looked up";
  settings.volume_group = "t.*g";
  EXPECT_EQ(refusal(settings), "No such volume group: t.*g");
  exists_ = make_error(Code::unavailable, "running vgs: 100%s");
  EXPECT_EQ(refusal(settings), "running vgs: 100%s");
  EXPECT_EQ(access_of(settings.mount_root), "missing") << "nothing was made before all was right";
  exists_ = true;
  EXPECT_EQ(refusal(settings), "accepted " + settings.mount_root);
}

TEST(PortTest, OneTo65535) {
  for (const char* good : {"1", "80", "8080", "65535"}) EXPECT_TRUE(parse_port(good)) << good;
  for (const char* bad :
       {"", "0", "65536", "-1", "+1", "80 ", " 80", "0x50", "eighty", "99999999999999999999"})
    EXPECT_FALSE(parse_port(bad)) << bad;
}

TEST(AddressTest, AsPeopleWriteIt) {
  Settings settings;
  EXPECT_EQ(address_of(settings), "localhost:8080");
  settings.host = "::1";
  EXPECT_EQ(address_of(settings), "[::1]:8080");
  settings.host = "[::1]";
  settings.port = "080";
  EXPECT_EQ(address_of(settings), "[::1]:80");
}

}  // namespace
}  // namespace volplugin::lvmvd
