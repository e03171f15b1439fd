// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include "cli/cli_for_test.h"

namespace volplugin::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

class Completion : public CliTest {
 protected:
  Completion() {
    fake.page_size = 1000;
    fake.add_tenant("t1");
    fake.add_tenant("t2");
    for (const char* name : {"t1/a", "t1/ab", "t2/c"}) fake.add_volume(name);
    fake.add_mount("t1/a", "host1");
    fake.add_node("host1");
  }
  // The words before the cursor; the last one is being typed.
  std::vector<std::string> after(const std::vector<std::string>& words) {
    return cli::complete(words, connect());
  }
};

TEST_F(Completion, Commands) {
  EXPECT_THAT(after({""}), ElementsAre("completion", "events", "health", "help", "mount", "node", "operation",
                                       "snapshot", "tenant", "version", "volume"));
  EXPECT_THAT(after({}), Contains("volume"));
  EXPECT_THAT(after({"v"}), ElementsAre("version", "volume"));
  EXPECT_THAT(after({"volume", ""}),
              ElementsAre("adopt", "create", "force-remove", "get", "help", "list", "list-all", "remove"));
  EXPECT_THAT(after({"--master", "h:1", "-o", "json", "volume", "li"}), ElementsAre("list", "list-all"));
  EXPECT_THAT(after({"zzz", ""}), ElementsAre());
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(Completion, HelpTopics) {
  EXPECT_THAT(after({"help", "vo"}), ElementsAre("volume"));
  EXPECT_THAT(after({"help", "volume", "cr"}), ElementsAre("create"));
  EXPECT_THAT(after({"volume", "help", "cr"}), ElementsAre("create"));
  EXPECT_THAT(after({"volume", "help", "create", ""}), ElementsAre());
}

TEST_F(Completion, Tenants) {
  EXPECT_THAT(after({"tenant", "get", ""}), ElementsAre("t1", "t2"));
  EXPECT_THAT(after({"volume", "list", "t2"}), ElementsAre("t2"));
  EXPECT_THAT(after({"tenant", "get", "t1", ""}), ElementsAre());
  EXPECT_THAT(after({"tenant", "list", ""}), ElementsAre());
}

TEST_F(Completion, VolumesInBothForms) {
  EXPECT_THAT(after({"volume", "get", ""}), ElementsAre("t1/", "t2/"));
  EXPECT_THAT(after({"volume", "get", "t1/"}), ElementsAre("t1/a", "t1/ab"));
  EXPECT_THAT(after({"volume", "get", "t1/ab"}), ElementsAre("t1/ab"));
  EXPECT_THAT(after({"volume", "get", "t1", ""}), ElementsAre("a", "ab"));
  EXPECT_THAT(after({"volume", "get", "t1", "a", ""}), ElementsAre());
  EXPECT_THAT(after({"volume", "get", "t1/a", ""}), ElementsAre());
  EXPECT_THAT(after({"volume", "get", "../"}), ElementsAre());
  EXPECT_THAT(after({"mount", "get", "t1/"}), ElementsAre("t1/a"));
}

TEST_F(Completion, SnapshotsPartByPart) {
  fake.add_snapshot("t1/a/s1");
  fake.add_snapshot("t1/ab/s2");
  EXPECT_THAT(after({"snapshot", "get", ""}), ElementsAre("t1/", "t2/"));
  EXPECT_THAT(after({"snapshot", "get", "t1/a"}), ElementsAre("t1/a/", "t1/ab/"));
  EXPECT_THAT(after({"snapshot", "get", "t1/a/"}), ElementsAre("t1/a/s1"));
  EXPECT_THAT(after({"snapshot", "remove", "t1/a/s1", ""}), ElementsAre());
  EXPECT_THAT(after({"snapshot", "get", "../"}), ElementsAre());
  EXPECT_THAT(after({"snapshot", "get", "t1/../"}), ElementsAre());
  EXPECT_THAT(after({"snapshot", "list", "t1/"}), ElementsAre("t1/a", "t1/ab"));
}

TEST_F(Completion, NodesAndFlags) {
  EXPECT_THAT(after({"node", "get", ""}), ElementsAre("host1"));
  EXPECT_THAT(after({"volume", "create", "--node", ""}), ElementsAre("host1"));
  EXPECT_THAT(after({"volume", "create", "--o"}), ElementsAre("--opt", "--output"));
  EXPECT_THAT(after({"volume", "get", "-"}), Not(Contains("--opt")));
  EXPECT_THAT(after({"--t"}), ElementsAre("--timeout"));
  EXPECT_THAT(after({"tenant", "list", "-o", ""}), ElementsAre("json", "name", "table"));
  EXPECT_THAT(after({"tenant", "list", "--output", "n"}), ElementsAre("name"));
  EXPECT_THAT(after({"tenant", "list", "--output=j"}), ElementsAre("json"));
  EXPECT_THAT(after({"volume", "create", "t1/x", "--opt", "s"}),
              ElementsAre("size=", "snapshots.frequency=", "snapshots.keep=", "snapshots="));
  EXPECT_THAT(after({"volume", "create", "t1/x", "--opt", "size=1"}), ElementsAre());
  EXPECT_THAT(after({"tenant", "upload", "t1", "-f", ""}), ElementsAre(":files"));
  EXPECT_THAT(after({"--master", ""}), ElementsAre());
  EXPECT_THAT(after({"mount", "force-remove", "--yes", "t1/"}), ElementsAre("t1/a"));
  EXPECT_THAT(after({"volume", "get", "--bogus", "x", ""}), ElementsAre());
}

TEST_F(Completion, AsksTheVolmasterThatTheLineNames) {
  EXPECT_THAT(after({"--master", "h:1", "tenant", "get", ""}), ElementsAre("t1", "t2"));
  EXPECT_THAT(target.masters, ElementsAre("h:1"));
}

TEST_F(Completion, Operations) {
  fake.operations.push_back({"op1", "create", "t1/a", "failed", "", FakeCluster::noon()});
  EXPECT_THAT(after({"operation", "get", ""}), ElementsAre("op1"));
  EXPECT_THAT(after({"operation", "get", "op1", ""}), ElementsAre());
}

TEST_F(Completion, KnowsTheFlagsOfEtcd) {
  EXPECT_THAT(after({"--etcd", "http://h:1", "tenant", "get", ""}), ElementsAre("t1", "t2"));
  EXPECT_THAT(target.etcd.endpoints, ElementsAre("http://h:1"));
  EXPECT_THAT(after({"--etcd-key", ""}), ElementsAre(":files"));
  EXPECT_THAT(after({"--etcd", "http://h:1", "--master", "h:1", "tenant", "get", ""}), ElementsAre());
}

TEST_F(Completion, FailuresAreSilent) {
  fake.failure = make_error(Code::unavailable, "down");
  EXPECT_EQ(run_words({"__complete", "tenant", "get", ""}), 0);
  EXPECT_EQ(out + err, "");
  connect_failure = make_error(Code::invalid_argument, "no address");
  EXPECT_EQ(run_words({"__complete", "tenant", "get", ""}), 0);
  EXPECT_EQ(out + err, "");
}

TEST_F(Completion, IsPrintedOnePerLine) {
  EXPECT_EQ(run_words({"__complete", "tenant", "get", ""}), 0);
  EXPECT_EQ(out, "t1\nt2\n");
  EXPECT_EQ(run("completion bash"), 0);
  EXPECT_EQ(out, bash_completion_script());
}

}  // namespace
}  // namespace volplugin::cli
