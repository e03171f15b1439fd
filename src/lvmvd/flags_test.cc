// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/flags.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volplugin::lvmvd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

CommandLine parse(const std::vector<const char*>& args) {
  return parse_flags(args);
}

TEST(FlagsTest, DefaultsAreThoseOfTheOriginal) {
  const auto line = parse({});
  EXPECT_FALSE(line.ending);
  EXPECT_EQ(line.settings.listener, "unix");
  EXPECT_EQ(line.settings.host, "localhost");
  EXPECT_EQ(line.settings.port, "8080");
  EXPECT_EQ(line.settings.default_size, Bytes::mib(512));
  EXPECT_EQ(line.settings.mount_root, "");
  EXPECT_EQ(line.settings.volume_group, "");
  EXPECT_EQ(line.settings.sock_file, "/run/docker/plugins/lvm-volume-driver.sock");
  EXPECT_EQ(line.settings.json_file, "/etc/docker/plugins/lvm-volume-driver.json");
  EXPECT_EQ(line.settings.state_dir, "/var/lib/lvmvd");
  EXPECT_FALSE(line.settings.debug);
}

TEST(FlagsTest, EveryFlagReachesItsSetting) {
  const auto line =
      parse({"--listener=http", "--host=h", "--port=1", "--default-size=7", "--mount-root=/m",
             "--volume-group-name=g", "--sock-file=/s", "--json-file=/j", "--state-dir=/d", "--debug"});
  ASSERT_FALSE(line.ending) << line.ending->err;
  EXPECT_EQ(line.settings.listener, "http");
  EXPECT_EQ(line.settings.host, "h");
  EXPECT_EQ(line.settings.port, "1");
  EXPECT_EQ(line.settings.default_size, Bytes::mib(7));
  EXPECT_EQ(line.settings.mount_root, "/m");
  EXPECT_EQ(line.settings.volume_group, "g");
  EXPECT_EQ(line.settings.sock_file, "/s");
  EXPECT_EQ(line.settings.json_file, "/j");
  EXPECT_EQ(line.settings.state_dir, "/d");
  EXPECT_TRUE(line.settings.debug);
}

TEST(FlagsTest, AllWaysToWriteAValue) {
  for (const auto& args : std::vector<std::vector<const char*>>{{"-host", "x=y"},
                                                                {"-host=x=y"},
                                                                {"--host", "x=y"},
                                                                {"--host=x=y"},
                                                                {"--host=first", "-host=x=y"}}) {
    const auto line = parse(args);
    EXPECT_FALSE(line.ending) << args.front();
    EXPECT_EQ(line.settings.host, "x=y") << args.front();
  }
  EXPECT_EQ(parse({"--host="}).settings.host, "");
  EXPECT_EQ(parse({"--host", ""}).settings.host, "");
  EXPECT_EQ(parse({"--host", "--port=1"}).settings.host, "--port=1") << "the next word is the value";
}

TEST(FlagsTest, BooleanFlagsTakeAValueOnlyWithEquals) {
  for (const char* word : {"-debug", "--debug", "-debug=true", "-debug=1", "-debug=t", "--debug=T",
                           "-debug=TRUE", "-debug=True"})
    EXPECT_TRUE(parse({word}).settings.debug) << word;
  for (const char* word :
       {"-debug=false", "-debug=0", "-debug=f", "--debug=F", "-debug=FALSE", "-debug=False"})
    EXPECT_FALSE(parse({"-debug", word}).settings.debug) << word;
  const auto line = parse({"--debug", "false", "--host=x"});
  EXPECT_TRUE(line.settings.debug);
  EXPECT_EQ(line.settings.host, "localhost") << "'false' ends the flags";
}

TEST(FlagsTest, WhereTheFlagsEnd) {
  for (const auto& args : std::vector<std::vector<const char*>>{
           {"--", "--host=x"}, {"word", "--host=x"}, {"-", "--host=x"}, {"", "--nonsense"}}) {
    const auto line = parse(args);
    EXPECT_FALSE(line.ending) << args.front();
    EXPECT_EQ(line.settings.host, "localhost") << args.front();
  }
}

TEST(FlagsTest, WrongLinesEndWithCode2AMessageAndTheUsage) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases{
      {{"-x"}, "flag provided but not defined: -x\nUsage: "},
      {{"--no-such=1"}, "flag provided but not defined: -no-such\nUsage: "},
      {{"--DEBUG"}, "flag provided but not defined: -DEBUG\nUsage: "},
      {{"--host"}, "flag needs an argument: -host\nUsage: "},
      {{"--debug", "-port"}, "flag needs an argument: -port\nUsage: "},
      {{"---host=x"}, "bad flag syntax: ---host=x\nUsage: "},
      {{"--=x"}, "bad flag syntax: --=x\nUsage: "},
      {{"-=x"}, "bad flag syntax: -=x\nUsage: "},
      {{"--debug=yes"}, "invalid boolean value \"yes\" for -debug: parse error\nUsage: "},
      {{"--debug="}, "invalid boolean value \"\" for -debug: parse error\nUsage: "},
      {{"--default-size=0"}, "invalid value \"0\" for flag -default-size: size '0' is zero"},
      {{"--default-size", "-1"}, "invalid value \"-1\" for flag -default-size: size '-1' has a sign"},
      {{"--default-size=1Q"},
       "invalid value \"1Q\" for flag -default-size: size '1Q' has the unknown unit 'Q'"},
      {{"--default-size="}, "invalid value \"\" for flag -default-size: size '' is empty"},
      {{"--default-size=1K"}, "invalid value \"1K\" for flag -default-size: size '1K' is too small"},
      {{"--default-size=9000000T"},
       "invalid value \"9000000T\" for flag -default-size: size '9000000T' is too large"},
      {{"--host=x", "-x", "--nonsense"}, "flag provided but not defined: -x\nUsage: "},
  };
  for (const auto& [args, message] : cases) {
    const auto line = parse(args);
    ASSERT_TRUE(line.ending) << message;
    EXPECT_EQ(line.ending->exit_code, 2);
    EXPECT_EQ(line.ending->out, "");
    EXPECT_THAT(line.ending->err, StartsWith(message));
    EXPECT_THAT(line.ending->err, HasSubstr(usage()));
  }
}

TEST(FlagsTest, DefaultSizeTakesUnits) {
  const std::vector<std::pair<const char*, Bytes>> cases{
      {"512", Bytes::mib(512)}, {"512M", Bytes::mib(512)}, {"1G", Bytes::gib(1)},   {"1g", Bytes::gib(1)},
      {"2GB", Bytes::gib(2)},   {"1024k", Bytes::mib(1)},  {"1T", Bytes::gib(1024)}};
  for (const auto& [text, size] : cases) {
    const auto line = parse({"--default-size", text});
    EXPECT_FALSE(line.ending) << text;
    EXPECT_EQ(line.settings.default_size, size) << text;
  }
}

TEST(FlagsTest, HelpIsTheUsageOnStderrWithCode0) {
  for (const char* word : {"-h", "--h", "-help", "--help", "--help=x"}) {
    const auto line = parse({"--debug", word});
    ASSERT_TRUE(line.ending) << word;
    EXPECT_EQ(line.ending->exit_code, 0);
    EXPECT_EQ(line.ending->out, "");
    EXPECT_EQ(line.ending->err, usage());
  }
}

TEST(FlagsTest, VersionGoesToStdout) {
  const auto line = parse({"--version"});
  ASSERT_TRUE(line.ending);
  EXPECT_EQ(line.ending->exit_code, 0);
  EXPECT_THAT(line.ending->out, testing::MatchesRegex("lvmvd [0-9.]+\n"));
  EXPECT_EQ(line.ending->err, "");
  EXPECT_FALSE(parse({"--version=false"}).ending);
}

TEST(FlagsTest, TheUsageTellsEveryDefault) {
  const Settings settings;
  for (const auto& value : {settings.listener, settings.host, settings.port, settings.sock_file,
                            settings.json_file, settings.state_dir, std::string("512")})
    EXPECT_THAT(usage(), HasSubstr("(default " + value + ")"));
  for (const char* word :
       {"Usage:", "Example:", "--debug", "--version", "--mount-root", "--volume-group-name"})
    EXPECT_THAT(usage(), HasSubstr(word));
}

}  // namespace
}  // namespace volplugin::lvmvd
