// SPDX-License-Identifier: Apache-2.0
#include "os/process.h"

#include "os/scratch.h"

#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::os {
namespace {

Op make_op(Millis timeout = Millis(20'000), std::stop_token stop = {}) {
  return Op(system_clock(), timeout, "test", "test", std::move(stop));
}

Outcome run_ok(const Command& command) {
  auto outcome = run(make_op(), command);
  EXPECT_TRUE(outcome) << outcome.error().message;
  return outcome ? *outcome : Outcome{};
}

Command shell(const std::string& script) {
  return {.argv = {"sh", "-c", script}};
}

bool process_exists(const std::string& pid_file) {
  const auto text = read_file(pid_file);
  if (!text || text->empty()) return false;
  const auto status = read_file("/proc/" + std::to_string(std::atoi(text->c_str())) + "/stat");
  // A zombie waits for init only, which is in no hurry here.
  return status && status->find(") Z") == std::string::npos;
}

TEST(Process, ReportsOutputAndExitCode) {
  const Outcome outcome = run_ok(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_FALSE(outcome.succeeded());
  EXPECT_EQ(outcome.describe(), "exit code 3: err");
}

TEST(Process, PassesArgumentsUntouched) {
  EXPECT_EQ(run_ok({.argv = {"printf", "%s|", "a b", "$HOME", "*", ""}}).out, "a b|$HOME|*||");
}

TEST(Process, ReportsTheSignalThatEndedIt) {
  const Outcome outcome = run_ok(shell("kill -KILL $$"));
  EXPECT_EQ(outcome.signal, SIGKILL);
  EXPECT_FALSE(outcome.succeeded());
}

TEST(Process, NamesTheMissingProgramAndItsPackage) {
  const auto outcome = run(make_op(), {.argv = {"no-such-program"}, .package = "some-package"});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::not_found);
  EXPECT_NE(outcome.error().message.find("no-such-program"), std::string::npos);
  EXPECT_NE(outcome.error().message.find("some-package"), std::string::npos);
}

TEST(Process, BuildsTheEnvironmentFromScratch) {
  ::setenv("VOLPLUGIN_SECRET", "x", 1);
  const Outcome outcome = run_ok({.argv = {"env"}});
  ::unsetenv("VOLPLUGIN_SECRET");
  EXPECT_EQ(outcome.out,
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C.UTF-8\nHOME=/\n");
}

TEST(Process, FeedsStdin) {
  const std::string data(3'000'000, 'x');
  EXPECT_EQ(run_ok({.argv = {"wc", "-c"}, .stdin_data = data}).out, "3000000\n");
  EXPECT_EQ(run_ok({.argv = {"cat"}}).out, "");
}

TEST(Process, LeaksNoDescriptor) {
  const FileDescriptor leaky(::open("/", O_RDONLY));  // deliberately without O_CLOEXEC
  const FileDescriptor high(::fcntl(leaky.get(), F_DUPFD, 500));
  // 3 is the directory ls itself reads.
  EXPECT_EQ(run_ok({.argv = {"ls", "/proc/self/fd"}}).out, "0\n1\n2\n3\n");
}

TEST(Process, StartsWithDefaultSignals) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &term, &before), 0);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  const Outcome terminated = run_ok(shell("kill -TERM $$"));
  const Outcome piped = run_ok(shell("kill -PIPE $$"));
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(terminated.signal, SIGTERM);
  EXPECT_EQ(piped.signal, SIGPIPE);
}

TEST(Process, RunsInItsOwnGroup) {
  const Outcome outcome = run_ok(shell("ps -o pgid= -p $$; echo $$"));
  int group = 0, pid = 0;
  ASSERT_EQ(std::sscanf(outcome.out.c_str(), "%d %d", &group, &pid), 2);
  EXPECT_EQ(group, pid);
}

TEST(Process, CapsTheOutputAndKeepsDraining) {
  Command command = shell("head -c 5000000 /dev/zero; head -c 10 /dev/zero >&2; exit 4");
  command.output_cap = Bytes{1000};
  const Outcome outcome = run_ok(command);
  EXPECT_EQ(outcome.out.size(), 1000u);
  EXPECT_EQ(outcome.err.size(), 10u);
  EXPECT_TRUE(outcome.truncated);
  EXPECT_EQ(outcome.exit_code, 4);
}

TEST(Process, DeadlineEndsTheWholeGroup) {
  const ScratchDir dir;
  const auto outcome = run(make_op(Millis(300)), shell("sleep 60 & echo $! > " + dir / "pid" + "; wait"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::deadline_exceeded);
  EXPECT_EQ(outcome.error().effect, Effect::unknown);
  EXPECT_TRUE(wait_until([&] { return !process_exists(dir / "pid"); }));
}

TEST(Process, KillsWhatIgnoresTerm) {
  const auto start = std::chrono::steady_clock::now();
  const auto outcome = run(make_op(Millis(200)), shell("trap '' TERM; while :; do sleep 0.2; done"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::deadline_exceeded);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, std::chrono::seconds(2));
  EXPECT_LT(took, std::chrono::seconds(6));
}

TEST(Process, StopRequestEndsIt) {
  const ScratchDir dir;
  std::stop_source source;
  std::jthread stopper([&] {
    EXPECT_TRUE(wait_until([&] { return process_exists(dir / "pid"); }));
    source.request_stop();
  });
  const auto outcome =
      run(make_op(Millis(20'000), source.get_token()), shell("echo $$ > " + dir / "pid" + "; exec sleep 60"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::cancelled);
  EXPECT_EQ(outcome.error().effect, Effect::unknown);
  EXPECT_FALSE(process_exists(dir / "pid"));
}

TEST(Process, ExpiredOpStartsNothing) {
  const ScratchDir dir;
  const auto outcome = run(make_op(Millis(0)), shell("touch " + dir / "started"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::deadline_exceeded);
  EXPECT_EQ(outcome.error().effect, Effect::none);
  EXPECT_FALSE(std::filesystem::exists(dir / "started"));
}

TEST(Process, DescendantThatKeepsThePipeDoesNotHangIt) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome = run_ok(shell("setsid sleep 30 & echo $!"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_EQ(outcome.exit_code, 0);
  const pid_t left_over = std::atoi(outcome.out.c_str());
  ASSERT_GT(left_over, 1);
  EXPECT_EQ(::kill(left_over, SIGKILL), 0);
}

TEST(Process, ManyAtOnceDoNotMixTheirOutput) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([i] {
      for (int round = 0; round < 4; ++round) {
        const std::string text = fmt::format("{}-{}", i, round);
        EXPECT_EQ(run_ok({.argv = {"cat"}, .stdin_data = text}).out, text);
      }
    });
}

TEST(Run, AProgramEndsWithTheProcessThatWaitsForIt) {
  const ScratchDir dir;
  const std::string note = dir / "pid";
  const pid_t waiting = ::fork();
  if (waiting == 0) {
    const Op op(system_clock(), Millis(60'000), "test", "test");
    (void)run(op, shell("echo $$ >" + note + ".new; mv " + note + ".new " + note + "; exec sleep 60"))
        .has_value();
    ::_exit(0);
  }
  ASSERT_TRUE(wait_until([&] { return ::access(note.c_str(), F_OK) == 0; }));
  const pid_t program = pid_t(std::stol(*read_file(note)));
  ASSERT_EQ(::kill(program, 0), 0);
  ::kill(waiting, SIGKILL);
  ::waitpid(waiting, nullptr, 0);
  EXPECT_TRUE(wait_until([&] {
    const auto status = read_file(fmt::format("/proc/{}/stat", program));
    return !status || status->find(") Z ") != std::string::npos;
  }));
}

}  // namespace
}  // namespace volplugin::os
