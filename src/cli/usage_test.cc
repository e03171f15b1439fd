// SPDX-License-Identifier: Apache-2.0
// Help in all its forms, wrong usage, global flags, exit codes.
#include "cli/cli_for_test.h"
#include "cli/exit_code.h"
#include "cli/help.h"

#include <cstdlib>

namespace volplugin::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Usage : public CliTest {};

TEST_F(Usage, HelpOfEverything) {
  for (const char* line : {"", "help", "--help", "-h", "help help", "-o json --help"}) {
    EXPECT_EQ(run(line), 0) << line;
    EXPECT_EQ(out, root_help()) << line;
  }
  for (const Command& command : commands()) EXPECT_THAT(out, HasSubstr("  " + command.path()));
}

TEST_F(Usage, HelpOfAGroup) {
  for (const Group& group : groups()) {
    for (const char* form : {"{}", "help {}", "{} help", "{} --help", "--help {}", "{} -h"}) {
      const std::string line = fmt::format(fmt::runtime(form), group.name);
      EXPECT_EQ(run(line), 0) << line;
      EXPECT_EQ(out, group_help(group)) << line;
    }
  }
}

TEST_F(Usage, HelpOfACommand) {
  for (const Command& command : commands()) {
    std::vector<std::string> lines = {"help {0} {1}", "{0} {1} --help", "{0} {1} -h", "--help {0} {1}",
                                      "{0} {1} --help a b c d"};
    if (!command.group.empty()) lines.emplace_back("{0} help {1}");
    for (const std::string& form : lines) {
      const std::string line = fmt::format(fmt::runtime(form), command.group, command.name);
      EXPECT_EQ(run(line), 0) << line << err;
      EXPECT_EQ(out, command_help(command)) << line;
    }
    EXPECT_THAT(out, AllOf(HasSubstr("\nUsage: " + command.usage() + "\n"), HasSubstr("\nExample:\n"),
                           HasSubstr("--master"), HasSubstr("\nExit codes: 0 done")));
    if (command.argument != Argument::none) {
      EXPECT_THAT(out, HasSubstr(fmt::format("\n  {}  ", argument_name(command.argument))));
    }
    for (const Flag& flag : command.flags) EXPECT_THAT(out, HasSubstr(flag.help));
  }
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(Usage, HelpOfCreateKnowsEveryOption) {
  const std::string help = command_help(*find_command("volume", "create"));
  for (const std::string& key : model::driver_option_keys()) EXPECT_THAT(help, HasSubstr(key));
}

TEST_F(Usage, UnknownCommandsNameTheNearestOnes) {
  const auto expect = [&](const std::string& line, const std::string& message) {
    EXPECT_EQ(run(line), 2) << line;
    EXPECT_EQ(out, "") << line;
    EXPECT_THAT(err, AllOf(testing::StartsWith("Error: "), HasSubstr(message), HasSubstr("volcli help")))
        << line;
  };
  expect("volumes", "unknown command 'volumes'; did you mean 'volume'?");
  expect("volume crate a/b", "unknown command 'volume crate'; did you mean 'volume create'?");
  expect("create a/b", "unknown command 'create'; did you mean 'volume create'?");
  expect("list", "did you mean 'tenant list' or 'volume list'");
  expect("zzz", "unknown command 'zzz'\n");
  expect("foo volume list", "unknown command 'foo'\n");
  expect("help volumes", "did you mean 'volume'?");
  expect("help volume crate", "did you mean 'volume create'?");
  expect("volume help crate", "did you mean 'volume create'?");
  expect("help version more", "unknown command 'version more'");
  expect("volume create --tiemout 3 a/b", "unknown flag '--tiemout'; did you mean '--timeout'?");
  expect("volume get a/b --node x", "unknown flag '--node'");
  expect("--outptu=json tenant list", "unknown flag '--outptu'; did you mean '--output'?");
}

TEST_F(Usage, WrongNumberOfWords) {
  EXPECT_EQ(run("tenant get"), 2);
  EXPECT_THAT(err, AllOf(HasSubstr("TENANT is missing"), HasSubstr("Usage: volcli tenant get TENANT\n")));
  EXPECT_EQ(run("tenant get a b"), 2);
  EXPECT_THAT(err, HasSubstr("'b' is one word too many"));
  EXPECT_EQ(run("tenant list a"), 2);
  EXPECT_EQ(run("version a"), 2);
  EXPECT_EQ(run_words({"tenant", "get", ""}), 2);
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(Usage, BadValuesOfGlobalFlags) {
  for (const char* bad : {"-o xml", "-o", "--timeout 0", "--timeout 86401", "--timeout 1s", "--timeout -1",
                          "--timeout", "--master", "--quiet=maybe"})
    EXPECT_EQ(run(fmt::format("tenant list {}", bad)), 2) << bad;
  EXPECT_THAT(fake.calls, ElementsAre());
}

TEST_F(Usage, FlagsWithAndWithoutValues) {
  EXPECT_EQ(run("volume create a/b --opt"), 2);
  EXPECT_EQ(err, "Error: flag --opt needs a value\n");
  EXPECT_EQ(run("tenant list -o"), 2);
  EXPECT_EQ(err, "Error: flag --output needs a value\n");
  EXPECT_EQ(run("mount force-remove a/b --yes=no"), 2);
  EXPECT_EQ(err, "Error: flag --yes takes no value\n");
  EXPECT_THAT(fake.calls, ElementsAre());
}

using Masters = std::vector<std::string>;

TEST_F(Usage, GlobalFlagsStandAnywhere) {
  fake.add_tenant("t1");
  for (const char* line : {"--master h:1 -o name --timeout 5 tenant list", "tenant --master h:1 list -o name",
                           "tenant list --volmaster h:1 -oname --timeout=5", "--volmaster=h:1 tenant list"}) {
    EXPECT_EQ(run(line), 0) << line << err;
    EXPECT_EQ(out, "t1\n") << line;
    EXPECT_EQ(target.masters, (Masters{"h:1"})) << line;
  }
}

TEST_F(Usage, AddressOfVolmaster) {
  ASSERT_EQ(::setenv("VOLPLUGIN_MASTER", "unix:///tmp/x", 1), 0);
  EXPECT_EQ(run("tenant list"), 0);
  EXPECT_EQ(target.masters, (Masters{"unix:///tmp/x"}));
  EXPECT_EQ(run("tenant list --master h:1"), 0);
  EXPECT_EQ(target.masters, (Masters{"h:1"}));
  EXPECT_EQ(run("--master h:1 tenant list --master h:2,h:3"), 0);
  EXPECT_EQ(target.masters, (Masters{"h:1", "h:2", "h:3"}));
  ASSERT_EQ(::setenv("VOLPLUGIN_MASTER", "h:4,unix:///x", 1), 0);
  EXPECT_EQ(run("tenant list"), 0);
  EXPECT_EQ(target.masters, (Masters{"h:4", "unix:///x"}));
  ASSERT_EQ(::setenv("VOLPLUGIN_MASTER", "", 1), 0);
  EXPECT_EQ(run("tenant list"), 0);
  ASSERT_EQ(target.masters.size(), 1U);
  EXPECT_THAT(target.masters[0], testing::AnyOf("127.0.0.1:9005", "unix:///run/volplugin/api.sock"));
  ASSERT_EQ(::unsetenv("VOLPLUGIN_MASTER"), 0);
}

TEST_F(Usage, WordsArriveAsTheyWereTyped) {
  // CLI11 has rules of its own for brackets, braces, slashes and empty words.
  for (const char* word :
       {"[t1]", "[t1,t2]", "{}", "%%", "/t1", "", "-", "t1,t2", "\"t1\"", "'t1'", "=t1", "++", "\1"}) {
    const auto line = parse_line(std::vector<std::string>{"tenant", "get", word});
    ASSERT_TRUE(line) << word << ": " << line.error().message;
    EXPECT_THAT(line->words, ElementsAre(word));
    EXPECT_THAT(line->unknown, ElementsAre()) << word;
    const auto flag = parse_line(std::vector<std::string>{"volume", "create", "a/b", "--opt", word});
    ASSERT_TRUE(flag) << word << ": " << flag.error().message;
    EXPECT_THAT(flag->flags.at("opt"), ElementsAre(word));
  }
}

TEST_F(Usage, TwoDashesEndTheFlags) {
  EXPECT_EQ(run("tenant get -- --help"), 2);
  EXPECT_THAT(err, HasSubstr("'--help'"));
  fake.add_tenant("t1");
  EXPECT_EQ(run("tenant get -- t1"), 0) << err;
}

TEST_F(Usage, QuietLeavesOutConfirmations) {
  fake.add_volume("t1/a");
  EXPECT_EQ(run("-q volume remove t1/a"), 0);
  EXPECT_EQ(out + err, "");
  fake.add_volume("t1/a");
  EXPECT_EQ(run("volume list-all --quiet"), 0);
  EXPECT_EQ(out, "t1/a\n");
}

TEST_F(Usage, ExitCodesOfAllFailures) {
  const std::pair<Code, int> expected[] = {{Code::invalid_argument, 2},
                                           {Code::not_found, 3},
                                           {Code::already_exists, 4},
                                           {Code::conflict, 4},
                                           {Code::busy, 4},
                                           {Code::unsupported, 1},
                                           {Code::permission_denied, 1},
                                           {Code::resource_exhausted, 1},
                                           {Code::unavailable, 5},
                                           {Code::deadline_exceeded, 5},
                                           {Code::cancelled, 1},
                                           {Code::corrupt, 1},
                                           {Code::internal, 1}};
  for (const auto& [code, exit] : expected) {
    fake.failure = make_error(code, "it went wrong");
    for (const char* line :
         {"tenant list", "volume create a/b", "volume get a/b", "volume list t", "mount list",
          "mount get a/b", "volume remove a/b", "node list", "operation list", "health"}) {
      EXPECT_EQ(run(line), exit) << line << " " << to_string(code);
      EXPECT_EQ(out, "") << line;
      EXPECT_THAT(err, testing::StartsWith("Error: it went wrong\n")) << line;
    }
  }
}

TEST_F(Usage, ErrorsSayWhatToDoNext) {
  connect_failure = make_error(Code::unavailable, "no connection");
  EXPECT_EQ(run("tenant list --master h:1"), 5);
  EXPECT_THAT(err, HasSubstr("'volcli health' tells"));
  EXPECT_EQ(run("health"), 5);
  EXPECT_EQ(err, "Error: no connection\n");
  connect_failure = make_error(Code::deadline_exceeded, "too slow", Effect::unknown);
  EXPECT_EQ(run("volume remove a/b --timeout 7"), 5);
  EXPECT_THAT(err, AllOf(HasSubstr("7 s"), HasSubstr("--timeout"), HasSubstr("may have happened")));
  connect_failure = make_error(Code::not_found, "no tenant 'a'");
  EXPECT_EQ(run("volume create a/b"), 3);
  EXPECT_THAT(err, HasSubstr("volcli tenant list"));
}

TEST_F(Usage, OutputThatCannotBeWrittenIsAnError) {
  std::istringstream in;
  std::ostringstream broken;
  std::ostringstream errors;
  broken.setstate(std::ios::badbit);
  Streams streams{in, broken, errors};
  const std::vector<std::string> words{"tenant", "list"};
  EXPECT_EQ(cli::run(words, streams, connect()), 1);
  EXPECT_THAT(errors.str(), HasSubstr("writing to standard output failed"));
}

TEST(NearWords, FindsSlipsAndPrefixesOnly) {
  const std::vector<std::string> words{"create", "get", "list", "list-all", "remove"};
  EXPECT_THAT(near_words("craete", words), ElementsAre("create"));
  EXPECT_THAT(near_words("lst", words), ElementsAre("list"));
  EXPECT_THAT(near_words("rem", words), ElementsAre("remove"));
  EXPECT_THAT(near_words("list-al", words), ElementsAre("list-all"));
  EXPECT_THAT(near_words("x", words), ElementsAre());
  EXPECT_THAT(near_words("", words), ElementsAre());
  EXPECT_THAT(near_words(std::string(1000, 'l'), words), ElementsAre());
}

}  // namespace
}  // namespace volplugin::cli
