// SPDX-License-Identifier: Apache-2.0
// Images on a real Ceph, mapped by server processes (userspace): two hosts on this one kernel.
#pragma once

#include "os/scratch.h"
#include "tests/contract/backend_contract.h"

#include <array>

#include <sys/types.h>

namespace volplugin::backend {

class CephEnvironment final : public BackendEnvironment {
 public:
  CephEnvironment();
  ~CephEnvironment() override;

  std::string unable() const override;
  Backend& backend() override { return *backend_; }
  void restart() override { backend_ = open("host1"); }
  Backend* other_host() override { return other_.get(); }

  void put_foreign(const std::string& image) override;
  bool foreign_untouched(const std::string& image) override;
  std::shared_ptr<void> use_elsewhere(const std::string& device) override;
  bool holds_data() const override { return true; }
  bool overcommits() const override { return true; }
  std::shared_ptr<void> freeze(const std::string& host) override;
  int affordable(int repetitions) const override { return (repetitions + 4) / 5; }

  // What serves the devices of the host.
  std::vector<pid_t> servers_of(const std::string& host) const;

 private:
  static constexpr std::array kPools{"pool", "another-pool"};
  static bool make_pools();
  std::unique_ptr<Backend> open(const std::string& host);
  void clear(const std::string& pool);

  os::ScratchDir dir_;
  std::unique_ptr<Backend> other_, backend_;
};

std::vector<BackendCase> ceph_environments();

}  // namespace volplugin::backend
