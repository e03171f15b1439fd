// SPDX-License-Identifier: Apache-2.0
// An etcd of one member as a child of the benchmark, set up as in production (its own timing, every commit is
// flushed), with its records in a directory of its own. One thread.
#pragma once

#include "child.h"
#include "kv/etcd/etcd_store.h"

#include <map>
#include <memory>
#include <string>

namespace volplugin::bench {

// What etcd has counted since it was started: requests that it has answered, by method ("Txn").
using Requests = std::map<std::string, double>;

class EtcdProcess {
 public:
  // Returns when it answers. `directory` is made.
  explicit EtcdProcess(const std::string& directory);

  std::string url() const { return "http://" + address_; }
  std::unique_ptr<kv::EtcdStore> open_store(const std::string& prefix) const;
  Requests requests() const;
  double watch_messages()
      const;                // on the streams of watches, which are one request each as long as they last
  double file_mib() const;  // of its database
  static std::string version();

 private:
  const std::string address_;  // host:port
  std::unique_ptr<Child> child_;
};

// What was counted between two looks, without zeros.
Requests difference(const Requests& before, const Requests& after);
double total(const Requests& requests);

}  // namespace volplugin::bench
