// SPDX-License-Identifier: Apache-2.0
// A real etcd of one member for tests, in a directory of its own, on loopback ports.
#pragma once

#include "kv/etcd/etcd_store.h"
#include "tests/contract/child_process.h"
#include "tests/contract/kv_contract.h"

namespace volplugin::kv::test {

class EtcdServer {
 public:
  // Starts it and waits until it answers. Throws when that takes too long.
  explicit EtcdServer(std::vector<std::string> flags = {});

  void start();  // again, on the same ports and records
  void kill() { process_.kill(); }
  void pause() { process_.pause(); }
  void resume() { process_.resume(); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }
  // A store under a prefix that no other one has.
  std::unique_ptr<EtcdStore> open_store(HistoryPolicy policy = {});
  EtcdSettings settings() const;  // of a store under the prefix of the last open_store()

 private:
  TestDirectory directory_;
  const std::vector<std::string> flags_;
  int port_;
  int peer_port_;
  int stores_ = 0;
  ChildProcess process_;  // ends before the directory goes
};

// The one that tests share which do not disturb it. Started by the first of them.
EtcdServer& shared_etcd();

}  // namespace volplugin::kv::test
