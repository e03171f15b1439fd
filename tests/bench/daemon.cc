// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include "require.h"
#include "unix_http.h"

#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr MilliSeconds kPatience{30'000};

[[noreturn]] void become(std::vector<std::string> argv, const std::string& log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  ::_exit(127);
}

UnixHttp connect_when_there(const std::string& socket, pid_t daemon, const std::string& log) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    if (auto connection = UnixHttp::connect(socket)) return std::move(*connection);
    int status = 0;
    if (::waitpid(daemon, &status, WNOHANG) == daemon) give_up("volplugin ended; see " + log);
    const timespec pause{0, 200'000};
    ::nanosleep(&pause, nullptr);
  }
  give_up("volplugin does not listen; see " + log);
}

double field_in_mib(std::string_view line) {
  return std::strtod(line.substr(line.find(':') + 1).data(), nullptr) / 1024;
}

}  // namespace

Daemon::Daemon(const std::string& program, const std::string& directory,
               const std::vector<std::string>& flags)
    : plugin_socket_(directory + "/plugin.sock"), api_socket_(directory + "/api.sock") {
  require(::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST, "making " + directory);
  const std::string log = directory + "/log";
  std::vector<std::string> argv{program,           "--standalone", "--data-dir",   directory + "/data",
                                "--plugin-socket", plugin_socket_, "--api-socket", api_socket_};
  argv.insert(argv.end(), flags.begin(), flags.end());
  start_up_ = time_of([&] {
    pid_ = ::fork();
    require(pid_ >= 0, "starting volplugin");
    if (pid_ == 0) become(std::move(argv), log);
    connect_when_there(plugin_socket_, pid_, log).post("/VolumeDriver.Capabilities", "{}\n");
    connect_when_there(api_socket_, pid_, log).get("/v1/health");
  });
}

Daemon::~Daemon() {
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

Memory Daemon::memory() const {
  std::ifstream status(fmt::format("/proc/{}/status", pid_));
  Memory memory;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) memory.resident_mib = field_in_mib(line);
    if (line.starts_with("RssAnon:")) memory.anonymous_mib = field_in_mib(line);
  }
  return memory;
}

}  // namespace volplugin::bench
