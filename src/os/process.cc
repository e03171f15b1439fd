// SPDX-License-Identifier: Apache-2.0
#include "os/process.h"

#include "base/check.h"
#include "os/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::os {
namespace {

constexpr Millis kTermGrace{2000};  // between TERM and KILL
constexpr Millis kKillGrace{5000};  // after KILL; a process stuck in the kernel is left behind then
constexpr Millis kDrainGrace{200};  // for pipes a descendant keeps open
constexpr Millis kPollSlice{250};   // a FakeClock may jump while poll() counts real time

char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
char kLocale[] = "LC_ALL=C.UTF-8";
char kHome[] = "HOME=/";

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos)
    return ::access(name.c_str(), X_OK) == 0 ? std::optional(name) : std::nullopt;
  std::string_view rest(kPath);
  rest.remove_prefix(rest.find('=') + 1);
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return std::nullopt;
}

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "making a pipe");
  Pipe made{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
  // Only our end: the program expects a blocking stdout.
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return errno_error(errno, "setting up a pipe");
  return made;
}

// A memory file, not a pipe: nobody has to feed it while the program runs.
Result<FileDescriptor> make_stdin(const std::string& data) {
  if (data.empty()) return open_file("/dev/null", O_RDONLY);
  FileDescriptor file(::memfd_create("stdin", MFD_CLOEXEC));
  if (!file) return errno_error(errno, "making stdin");
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t written = ::write(file.get(), data.data() + done, data.size() - done);
    if (written < 0) return errno_error(errno, "filling stdin");
    done += size_t(written);
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return errno_error(errno, "rewinding stdin");
  return file;
}

class SpawnActions {
 public:
  SpawnActions() { CHECK(posix_spawn_file_actions_init(&actions_) == 0); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() { posix_spawn_file_actions_destroy(&actions_); }

  void give(const FileDescriptor& file, int as) {
    CHECK(posix_spawn_file_actions_adddup2(&actions_, file.get(), as) == 0);
  }
  void close_the_rest() { CHECK(posix_spawn_file_actions_addclosefrom_np(&actions_, 3) == 0); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class SpawnAttributes {
 public:
  SpawnAttributes() {
    CHECK(posix_spawnattr_init(&attributes_) == 0);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() { posix_spawnattr_destroy(&attributes_); }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

Result<pid_t> spawn(const std::string& program, const Command& command, const FileDescriptor& in,
                    const FileDescriptor& out, const FileDescriptor& err) {
  SpawnActions actions;
  actions.give(in, 0);
  actions.give(out, 1);
  actions.give(err, 2);
  actions.close_the_rest();
  const SpawnAttributes attributes;
  std::vector<char*> argv;
  for (const std::string& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<char*, 4> environment{kPath, kLocale, kHome, nullptr};
  pid_t pid = -1;
  const int number =
      ::posix_spawn(&pid, program.c_str(), actions.get(), attributes.get(), argv.data(), environment.data());
  if (number != 0) return errno_error(number, fmt::format("starting '{}'", program));
  return pid;
}

// One started program: its pipes, its pid and the reason to end it early.
class Child {
 public:
  Child(const Op& op, const Command& command, pid_t pid, FileDescriptor pidfd, FileDescriptor wake,
        FileDescriptor out, FileDescriptor err)
      : op_(op),
        command_(command),
        pid_(pid),
        pidfd_(std::move(pidfd)),
        wake_(std::move(wake)),
        out_(std::move(out)),
        err_(std::move(err)) {}

  Result<Outcome> wait() {
    auto allowed = run_until_end();
    if (!allowed) {
      end_group();
      Error error = std::move(allowed.error());
      error.effect = Effect::unknown;
      return std::move(error).with_context(fmt::format("'{}' was ended", command_.argv[0]));
    }
    drain_leftovers();
    return reap();
  }

 private:
  // Until the program ended, or the Op says stop.
  Result<> run_until_end() {
    for (;;) {
      TRY(op_.check(command_.argv[0]));
      if (poll_once(std::min(op_.remaining(), kPollSlice), wake_.get())) return {};
    }
  }

  // Moves output along; true when the program has ended. poll() ignores negative descriptors.
  bool poll_once(Millis timeout, int wake) {
    pollfd fds[4] = {
        {pidfd_.get(), POLLIN, 0}, {out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}, {wake, POLLIN, 0}};
    if (::poll(fds, 4, int(timeout.count()) + 1) <= 0) return false;
    if (fds[1].revents) read_some(out_, outcome_.out);
    if (fds[2].revents) read_some(err_, outcome_.err);
    return fds[0].revents != 0;
  }

  void read_some(FileDescriptor& from, std::string& to) {
    char buffer[65536];
    const ssize_t got = ::read(from.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) return from.reset();
    const size_t room = size_t(command_.output_cap.count) - to.size();
    to.append(buffer, std::min(size_t(got), room));
    if (size_t(got) > room) outcome_.truncated = true;
  }

  // The pipes' rest. Real time: it is about a process that does not know our Clock.
  void drain_leftovers() {
    const auto until = std::chrono::steady_clock::now() + kDrainGrace;
    while (out_ || err_) {
      const auto left = std::chrono::ceil<Millis>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return;
      pollfd fds[2] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
      if (::poll(fds, 2, int(left.count())) <= 0) continue;
      if (fds[0].revents) read_some(out_, outcome_.out);
      if (fds[1].revents) read_some(err_, outcome_.err);
    }
  }

  // The pid cannot be another process's: it is not reaped yet.
  void end_group() {
    ::kill(-pid_, SIGTERM);
    const bool obeyed = wait_for_end(kTermGrace);
    ::kill(-pid_, SIGKILL);  // also for members that outlive their leader
    if (obeyed || wait_for_end(kKillGrace)) (void)reap();
  }

  bool wait_for_end(Millis timeout) {
    const auto until = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      const auto left = std::chrono::ceil<Millis>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      if (poll_once(left, -1)) return true;
    }
  }

  Result<Outcome> reap() {
    siginfo_t info{};
    while (::waitid(P_PID, id_t(pid_), &info, WEXITED) != 0)
      if (errno != EINTR) {
        Error error = errno_error(errno, fmt::format("waiting for '{}'", command_.argv[0]));
        error.effect = Effect::unknown;
        return error;
      }
    (info.si_code == CLD_EXITED ? outcome_.exit_code : outcome_.signal) = info.si_status;
    return std::move(outcome_);
  }

  const Op& op_;
  const Command& command_;
  pid_t pid_;
  FileDescriptor pidfd_;
  FileDescriptor wake_;
  FileDescriptor out_;
  FileDescriptor err_;
  Outcome outcome_;
};

}  // namespace

std::string Outcome::describe() const {
  std::string_view text = err.empty() ? out : err;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() > 400) text = text.substr(text.size() - 400);
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  const std::string how =
      signal != 0 ? fmt::format("ended by signal {}", signal) : fmt::format("exit code {}", exit_code);
  return line.empty() ? how : how + ": " + line;
}

Result<Outcome> run(const Op& op, const Command& command) {
  CHECK(!command.argv.empty());
  TRY_CTX(op.check("starting a program"), "{}", command.argv[0]);
  const auto program = find_program(command.argv[0]);
  if (!program)
    return make_error(Code::not_found,
                      fmt::format("program '{}' is not installed{}", command.argv[0],
                                  command.package.empty() ? "" : "; install package " + command.package));
  FileDescriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return errno_error(errno, "making an event");
  const int wake_fd = wake.get();
  FileDescriptor in = TRY(make_stdin(command.stdin_data));
  Pipe out = TRY(make_pipe());
  Pipe err = TRY(make_pipe());

  const pid_t pid = TRY(spawn(*program, command, in, out.write_end, err.write_end));
  out.write_end.reset();
  err.write_end.reset();
  // Cannot be another process: only reap() below ends the pid's life.
  FileDescriptor pidfd(int(::syscall(SYS_pidfd_open, pid, 0)));
  CHECK(pidfd);
  Child child(op, command, pid, std::move(pidfd), std::move(wake), std::move(out.read_end),
              std::move(err.read_end));
  const std::stop_callback on_stop(op.stop(), [wake_fd] { (void)::eventfd_write(wake_fd, 1); });
  return child.wait();
}

}  // namespace volplugin::os
