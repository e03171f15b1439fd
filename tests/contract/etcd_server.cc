// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/etcd_server.h"

#include <csignal>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::kv::test {
namespace {

// etcd cannot bind to port 0. The kernel gives out ports in turn, so one that is free now stays free for
// long enough.
int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, plain, size) != 0 || getsockname(fd, plain, &size) != 0)
    throw std::runtime_error("no free port");
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

EtcdServer::EtcdServer(std::vector<std::string> flags)
    : flags_(std::move(flags)), port_(free_port()), peer_port_(free_port()) {
  start();
}

EtcdServer::~EtcdServer() {
  kill();
}

void EtcdServer::start() {
  const std::string peer = "http://127.0.0.1:" + std::to_string(peer_port_);
  std::vector<std::string> argv{"etcd", "--name", "t", "--data-dir", directory_ / "etcd", "--log-level",
                                "error", "--listen-client-urls", url(), "--advertise-client-urls", url(),
                                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                                "--initial-cluster", "t=" + peer,
                                // Ready in 50 ms instead of 800.
                                "--heartbeat-interval", "10", "--election-timeout", "50"};
  argv.insert(argv.end(), flags_.begin(), flags_.end());
  std::vector<char*> raw;
  for (std::string& word : argv) raw.push_back(word.data());
  raw.push_back(nullptr);
  const std::string log = directory_ / "log";
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(raw[0], raw.data());
    _exit(127);
  }
  const auto store = must(EtcdStore::open(settings(), system_clock()));
  const Op op = make_op();
  while (true) {
    const auto answer = store->revision(op);
    if (answer) return;
    if (op.remaining() == Millis(0) || waitpid(process_, nullptr, WNOHANG) != 0)
      throw std::runtime_error("etcd does not start (package etcd-server): " + answer.error().message);
  }
}

void EtcdServer::signal(int number) const {
  if (process_ > 0) ::kill(process_, number);
}

void EtcdServer::kill() {
  signal(SIGKILL);
  if (process_ > 0) waitpid(process_, nullptr, 0);
  process_ = -1;
}

void EtcdServer::pause() {
  signal(SIGSTOP);
}

void EtcdServer::resume() {
  signal(SIGCONT);
}

EtcdSettings EtcdServer::settings() const {
  return {.endpoints = {url()}, .prefix = "/test/" + std::to_string(stores_)};
}

std::unique_ptr<EtcdStore> EtcdServer::open_store(HistoryPolicy policy) {
  ++stores_;
  return must(EtcdStore::open(settings(), system_clock(), policy));
}

EtcdServer& shared_etcd() {
  static EtcdServer server;
  return server;
}

}  // namespace volplugin::kv::test
