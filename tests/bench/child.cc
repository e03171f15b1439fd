// SPDX-License-Identifier: Apache-2.0
#include "child.h"

#include "require.h"

#include <fstream>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

[[noreturn]] void become(char** argv, const char* log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (out >= 0 && ::dup2(out, 1) >= 0) ::dup2(out, 2);
  ::execvp(argv[0], argv);
  ::_exit(127);
}

double field_in_mib(const std::string& line) {
  return std::strtod(line.c_str() + line.find(':') + 1, nullptr) / 1024;
}

}  // namespace

Child::Child(std::vector<std::string> argv, const std::string& log) {
  // Made before the fork: the benchmark may have other threads.
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  pid_ = ::fork();
  require(pid_ >= 0, "starting " + argv[0]);
  if (pid_ == 0) become(words.data(), log.c_str());
}

Child::~Child() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

bool Child::ended() {
  if (pid_ >= 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ < 0;
}

Memory Child::memory() const {
  std::ifstream status(fmt::format("/proc/{}/status", pid_));
  Memory memory;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) memory.resident_mib = field_in_mib(line);
    if (line.starts_with("RssAnon:")) memory.anonymous_mib = field_in_mib(line);
  }
  return memory;
}

double Child::processor_ms() const {
  std::ifstream file(fmt::format("/proc/{}/stat", pid_));
  std::string stat;
  std::getline(file, stat);
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1000 / double(::sysconf(_SC_CLK_TCK));
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  require(fd >= 0 && ::bind(fd, plain, size) == 0 && ::getsockname(fd, plain, &size) == 0, "finding a port");
  ::close(fd);
  return ntohs(address.sin_port);
}

}  // namespace volplugin::bench
