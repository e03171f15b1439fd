// SPDX-License-Identifier: Apache-2.0
// SimBackend: a driver without storage, for tests, simulation and trying volplugin without root. One
// object is one process on one host; several share a SimCluster. Devices are names only: "/dev/sim0".
// Faults hit the next call of the named function, once, in the order they were set.
#pragma once

#include "backend/adoption.h"
#include "backend/fencing.h"
#include "backend/sim/sim_cluster.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace volplugin::backend {

enum class SimCall {
  ensure,
  remove,
  inspect,
  list,
  inspect_pool,
  attach,
  attached_here,
  detach,
  fence,
  lift,
  find_image,
  read,
  adopt,
  release,
  ensure_snapshot,
  remove_snapshot,
  list_snapshots
};

class SimBackend final : public Backend, private Snapshots, private Fencing, private Adoption {
 public:
  SimBackend(std::shared_ptr<SimCluster> cluster, std::string host);

  void fail_before(SimCall call) { add_fault(call, Fault::before); }        // unavailable, effect none
  void act_then_fail(SimCall call) { add_fault(call, Fault::after); }       // unavailable, effect unknown
  void hang_until_deadline(SimCall call) { add_fault(call, Fault::hang); }  // or until cancelled

  const Traits& traits() const override { return traits_; }
  // Like adoption, of a cluster.
  Snapshots* snapshots() override { return traits_.snapshots ? this : nullptr; }
  // Where images belong to one host there is nobody to cut off.
  Fencing* fencing() override { return traits_.scope == Scope::cluster ? this : nullptr; }
  // As with the real drivers: of a cluster.
  Adoption* adoption() override { return traits_.scope == Scope::cluster ? this : nullptr; }
  Result<> validate_pool(const std::string& pool) const override;
  Result<EnsureOutcome> ensure(const Op& op, const ImageKey& key, Bytes size) override;
  Result<Removed> remove(const Op& op, const ImageKey& key) override;
  Result<std::optional<ImageInfo>> inspect(const Op& op, const ImageKey& key) override;
  Result<std::vector<ImageInfo>> list(const Op& op, const std::string& pool) override;
  Result<PoolInfo> inspect_pool(const Op& op, const std::string& pool) override;
  Result<std::unique_ptr<Attachment>> attach(const Op& op, const ImageKey& key) override;
  Result<std::unique_ptr<Attachment>> attached_here(const Op& op, const ImageKey& key) override;
  Result<> detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) override;

 private:
  enum class Fault { before, after, hang };

  Result<Ensured> ensure_snapshot(const Op& op, const SnapshotKey& key) override;
  Result<Removed> remove_snapshot(const Op& op, const SnapshotKey& key) override;
  Result<std::vector<SnapshotInfo>> list_snapshots(const Op& op, const ImageKey& image) override;

  Result<> fence(const Op& op, const ImageKey& key, const std::string& host) override;
  Result<> lift(const Op& op, const ImageKey& key, const std::string& host) override;

  Result<FoundImage> find_image(const Op& op, const ImageKey& key) override;
  Result<std::string> read(const Op& op, const ImageKey& key, Bytes offset, Bytes length) override;
  Result<> adopt(const Op& op, const ImageKey& key, const FoundImage& found) override;
  Result<> release(const Op& op, const ImageKey& key) override;

  void add_fault(SimCall call, Fault fault);
  template <class Action>
  auto with_faults(const Op& op, SimCall call, const std::string& pool, Action action) -> decltype(action());

  const std::shared_ptr<SimCluster> cluster_;
  const std::string host_;
  const Traits traits_;
  std::mutex mutex_;
  std::map<SimCall, std::deque<Fault>> faults_;
};

}  // namespace volplugin::backend
