// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/etcd_server.h"

namespace volplugin::kv::test {

EtcdServer::EtcdServer(std::vector<std::string> flags)
    : flags_(std::move(flags)), port_(free_port()), peer_port_(free_port()) {
  start();
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
  process_.start(std::move(argv), directory_ / "log");
  const auto store = must(EtcdStore::open(settings(), system_clock()));
  const Op op = make_op();
  while (true) {
    const auto answer = store->revision(op);
    if (answer) return;
    if (op.remaining() == Millis(0) || !process_.running())
      throw std::runtime_error("etcd does not start (package etcd-server): " + answer.error().message);
  }
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
