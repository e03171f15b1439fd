// SPDX-License-Identifier: Apache-2.0
#include "os/process.h"

#include "base/check.h"
#include "os/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

// What the child needs, prepared before it exists.
struct Plan {
  const char* program;
  char* const* argv;
  char* const* environment;
  std::array<int, 3> descriptors;  // its 0, 1 and 2
  pid_t parent;
};

// Between vfork and exec the child runs on its parent's memory: system calls only.
[[noreturn]] void become(const Plan& plan, volatile int& failure) {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::setpgid(0, 0);
  // Work that outlived us would go on behind the back of whoever recovers. LVM holds signals off while it
  // must not be disturbed.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() == plan.parent) {
    bool ready = true;
    for (int i = 0; i < 3; ++i) {
      if (plan.descriptors[size_t(i)] == i)
        ready = ::fcntl(i, F_SETFD, 0) == 0 && ready;
      else
        ready = ::dup2(plan.descriptors[size_t(i)], i) == i && ready;
    }
    ::close_range(3, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (ready) ::execve(plan.program, plan.argv, plan.environment);
  }
  failure = errno;
  ::_exit(127);
}

// Unlike posix_spawn the child can be told to end with the thread that waits for it; unlike fork nothing of a
// large process is copied. Signals wait meanwhile: no handler may run in the child.
[[gnu::noinline]] pid_t start(const Plan& plan, volatile int& failure) {
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) become(plan, failure);
  if (pid < 0) failure = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

Result<pid_t> spawn(const std::string& program, const Command& command, const FileDescriptor& in,
                    const FileDescriptor& out, const FileDescriptor& err) {
  std::vector<char*> argv;
  for (const std::string& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<char*, 4> environment{kPath, kLocale, kHome, nullptr};
  const Plan plan{
      program.c_str(), argv.data(), environment.data(), {in.get(), out.get(), err.get()}, ::getpid()};
  volatile int failure = 0;
  const pid_t pid = start(plan, failure);
  if (failure == 0) return pid;
  if (pid > 0) ::waitpid(pid, nullptr, 0);
  return errno_error(failure, fmt::format("starting '{}'", program));
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
