// SPDX-License-Identifier: Apache-2.0
// --etcd and what belongs to it: which commands take it, and what they are given.
#include "cli/cli_for_test.h"
#include "cli/exit_code.h"

#include <cstdlib>

namespace volplugin::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class EtcdFlags : public CliTest {};

TEST_F(EtcdFlags, ArriveWhereverTheyStand) {
  ASSERT_EQ(::setenv("VOLPLUGIN_MASTER", "h:1", 1), 0);  // --etcd says more
  for (const char* line : {"--etcd http://a:1 --etcd http://b:2 --prefix /p tenant list",
                           "tenant list --etcd=http://a:1 --prefix=/p --etcd http://b:2"}) {
    EXPECT_EQ(run(line), 0) << line << err;
    EXPECT_THAT(target.etcd.endpoints, ElementsAre("http://a:1", "http://b:2")) << line;
    EXPECT_EQ(target.etcd.prefix, "/p") << line;
  }
  ASSERT_EQ(::unsetenv("VOLPLUGIN_MASTER"), 0);
  EXPECT_EQ(
      run("volume list-all --etcd https://a:1 --etcd-cacert ca --etcd-cert c --etcd-key k --etcd-user u "
          "--etcd-password-file f"),
      0)
      << err;
  EXPECT_EQ(target.etcd.prefix, "/volplugin");
  EXPECT_EQ(target.etcd.ca_file, "ca");
  EXPECT_EQ(target.etcd.cert_file, "c");
  EXPECT_EQ(target.etcd.key_file, "k");
  EXPECT_EQ(target.etcd.user, "u");
  EXPECT_EQ(target.etcd_password_file, "f");
}

TEST_F(EtcdFlags, ThoseThatBelongToItNeedIt) {
  for (const char* flag :
       {"prefix", "etcd-cacert", "etcd-cert", "etcd-key", "etcd-user", "etcd-password-file"}) {
    EXPECT_EQ(run(fmt::format("tenant list --{} x", flag)), kUsage) << flag;
    EXPECT_EQ(err, fmt::format("Error: --{} needs --etcd\n", flag));
    EXPECT_EQ(run_words({"tenant", "list", "--etcd", "http://a:1", fmt::format("--{}", flag), ""}), kUsage);
    EXPECT_EQ(err, fmt::format("Error: --{} is empty\n", flag));
  }
  EXPECT_EQ(run("tenant list --etcd"), kUsage);
  EXPECT_EQ(connects, 0);
}

TEST_F(EtcdFlags, ExcludeMaster) {
  EXPECT_EQ(run("tenant list --etcd http://a:1 --master h:1"), kUsage);
  EXPECT_THAT(err, HasSubstr("--etcd and --master exclude each other"));
  EXPECT_EQ(run("--volmaster h:1 tenant list --etcd http://a:1"), kUsage);
  EXPECT_EQ(connects, 0);
}

TEST_F(EtcdFlags, CommandsThatNeedAVolmasterAreRefusedBeforeAnythingIsOpened) {
  for (const char* line : {"volume create t1/a", "volume remove t1/a", "health", "version"}) {
    EXPECT_EQ(run(fmt::format("{} --etcd http://a:1", line)), kUsage) << line;
    EXPECT_THAT(err, AllOf(HasSubstr("needs a volmaster"), HasSubstr("nothing was done"),
                           HasSubstr("leave out --etcd")))
        << line;
    EXPECT_EQ(out, "");
  }
  EXPECT_EQ(connects, 0);
}

// The list of the requirements: a new command has to say where it works.
TEST_F(EtcdFlags, CommandsThatWorkOnRecordsAlone) {
  std::vector<std::string> paths;
  for (const Command& command : commands())
    if (command.needs == Needs::records) paths.push_back(command.path());
  EXPECT_THAT(paths,
              ElementsAre("tenant upload", "tenant delete", "tenant get", "tenant list", "volume get",
                          "volume list", "volume list-all", "volume force-remove", "snapshot get",
                          "snapshot list", "snapshot list-all", "mount list", "mount get",
                          "mount force-remove", "node list", "node get", "operation list", "operation get"));
}

TEST_F(EtcdFlags, AdviceIsAboutEtcd) {
  connect_failure = make_error(Code::unavailable, "no connection");
  EXPECT_EQ(run("tenant list --etcd http://a:1"), kNoAnswer);
  EXPECT_THAT(err, AllOf(HasSubstr("etcdctl"), testing::Not(HasSubstr("volcli health"))));
}

}  // namespace
}  // namespace volplugin::cli
