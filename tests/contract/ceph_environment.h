// SPDX-License-Identifier: Apache-2.0
// Images on a real Ceph, for two hosts on this one kernel: the second one's are mapped by server processes
// (userspace), the first one's by such, too, or by the kernel (krbd), which shows its mappings to all hosts
// of the machine, so that it can have one only. The kernel keeps the lock of what it has mapped, or gives it
// away.
#pragma once

#include "backend/rbd/rbd_backend.h"
#include "os/scratch.h"
#include "tests/contract/backend_contract.h"

#include <array>

#include <sys/types.h>

namespace volplugin::backend {

// How the first host maps: RbdConfig's attach and exclusive.
struct CephMapping {
  std::string name;  // of the cases
  RbdAttach attach;
  bool exclusive = true;

  bool by_kernel() const { return attach == RbdAttach::kernel; }
};

class CephEnvironment final : public BackendEnvironment {
 public:
  explicit CephEnvironment(CephMapping here);
  ~CephEnvironment() override;

  std::string unable() const override;
  Backend& backend() override { return *backend_; }
  void restart() override { backend_ = open("host1", here_); }
  Backend* other_host() override { return other_.get(); }

  void put_foreign(const std::string& image) override;
  bool foreign_untouched(const std::string& image) override;
  void protect(const SnapshotKey& key, bool needed) override;
  std::string start_of(const SnapshotKey& key) override;
  bool snapshots_while_attached() const override { return !here_.by_kernel() || !here_.exclusive; }
  std::shared_ptr<void> use_elsewhere(const std::string& device) override;
  bool holds_data() const override { return true; }
  bool overcommits() const override { return true; }
  std::shared_ptr<void> freeze(const std::string& host) override;
  int affordable(int repetitions) const override;
  bool devices_end_with_their_process() const override { return !here_.by_kernel(); }

  // What serves the devices of the host.
  std::vector<pid_t> servers_of(const std::string& host) const;

 private:
  static std::string spec_of(const SnapshotKey& key);
  static constexpr std::array kPools{"pool", "another-pool"};
  static bool make_pools();
  std::unique_ptr<Backend> open(const std::string& host, const CephMapping& mapping);
  void clear(const std::string& pool);

  const CephMapping here_;
  os::ScratchDir dir_;
  std::unique_ptr<Backend> other_, backend_;
};

// By servers.
CephMapping userspace_mapping();
// How the first host may map here: so ("ceph"); with VOLPLUGIN_TEST_CEPH, in a guest of the lab, by its
// kernel
// ("ceph_krbd", "ceph_krbd_lent").
std::vector<CephMapping> ceph_mappings();
// One for each of them.
std::vector<BackendCase> ceph_environments();

}  // namespace volplugin::backend
