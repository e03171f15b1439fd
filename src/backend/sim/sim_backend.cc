// SPDX-License-Identifier: Apache-2.0
#include "backend/sim/sim_backend.h"

#include "backend/pool_name.h"

#include <thread>

namespace volplugin::backend {

SimBackend::SimBackend(std::shared_ptr<SimCluster> cluster, std::string host)
    : cluster_(std::move(cluster)),
      host_(std::move(host)),
      traits_{.name = "sim",
              .scope = cluster_->scope(),
              .min_size = Bytes::mib(1),
              .granularity = Bytes{4096},
              .snapshots = cluster_->scope() == Scope::cluster} {}

void SimBackend::add_fault(SimCall call, Fault fault) {
  const std::lock_guard guard(mutex_);
  faults_[call].push_back(fault);
}

// Checks the Op and the pool's name, then acts as the next fault of `call` says.
template <class Action>
auto SimBackend::with_faults(const Op& op, SimCall call, const std::string& pool, Action action)
    -> decltype(action()) {
  TRY(check_pool_name(pool));
  TRY(op.check("the simulated storage"));
  std::optional<Fault> fault;
  {
    const std::lock_guard guard(mutex_);
    if (auto& waiting = faults_[call]; !waiting.empty()) {
      fault = waiting.front();
      waiting.pop_front();
    }
  }
  if (!fault) return action();
  switch (*fault) {
    case Fault::before:
      return make_error(Code::unavailable, "fault injected before acting");
    case Fault::after: {
      const auto acted = action();
      if (!acted) return acted.error();
      return make_error(Code::unavailable, "fault injected after acting", Effect::unknown);
    }
    case Fault::hang:
      for (;;) {
        TRY(op.check("the simulated storage hangs"));
        // Real time: the Op's clock may be one that only a test moves.
        std::this_thread::sleep_for(Millis(1));
      }
  }
  return make_error(Code::internal, "unreachable");
}

Result<> SimBackend::validate_pool(const std::string& pool) const {
  return check_pool_name(pool);
}

Result<EnsureOutcome> SimBackend::ensure(const Op& op, const ImageKey& key, Bytes size) {
  return with_faults(op, SimCall::ensure, key.pool, [&] { return cluster_->ensure(host_, key, size); });
}

Result<Removed> SimBackend::remove(const Op& op, const ImageKey& key) {
  return with_faults(op, SimCall::remove, key.pool, [&] { return cluster_->remove(host_, key); });
}

Result<std::optional<ImageInfo>> SimBackend::inspect(const Op& op, const ImageKey& key) {
  return with_faults(op, SimCall::inspect, key.pool,
                     [&]() -> Result<std::optional<ImageInfo>> { return cluster_->inspect(host_, key); });
}

Result<std::vector<ImageInfo>> SimBackend::list(const Op& op, const std::string& pool) {
  return with_faults(op, SimCall::list, pool,
                     [&]() -> Result<std::vector<ImageInfo>> { return cluster_->list(host_, pool); });
}

Result<PoolInfo> SimBackend::inspect_pool(const Op& op, const std::string& pool) {
  return with_faults(op, SimCall::inspect_pool, pool,
                     [&]() -> Result<PoolInfo> { return cluster_->inspect_pool(host_, pool); });
}

Result<std::unique_ptr<Attachment>> SimBackend::attach(const Op& op, const ImageKey& key) {
  return with_faults(op, SimCall::attach, key.pool, [&] { return cluster_->attach(host_, key); });
}

Result<std::unique_ptr<Attachment>> SimBackend::attached_here(const Op& op, const ImageKey& key) {
  return with_faults(op, SimCall::attached_here, key.pool, [&]() -> Result<std::unique_ptr<Attachment>> {
    return cluster_->attached_here(host_, key);
  });
}

Result<> SimBackend::detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) {
  return with_faults(op, SimCall::detach, key.pool,
                     [&] { return cluster_->detach(host_, key, std::move(attachment)); });
}

Result<Ensured> SimBackend::ensure_snapshot(const Op& op, const SnapshotKey& key) {
  return with_faults(op, SimCall::ensure_snapshot, key.image.pool,
                     [&] { return cluster_->ensure_snapshot(key); });
}

Result<Removed> SimBackend::remove_snapshot(const Op& op, const SnapshotKey& key) {
  return with_faults(op, SimCall::remove_snapshot, key.image.pool,
                     [&] { return cluster_->remove_snapshot(key); });
}

Result<std::vector<SnapshotInfo>> SimBackend::list_snapshots(const Op& op, const ImageKey& image) {
  return with_faults(op, SimCall::list_snapshots, image.pool,
                     [&] { return cluster_->list_snapshots(image); });
}

Result<> SimBackend::fence(const Op& op, const ImageKey& key, const std::string& host) {
  return with_faults(op, SimCall::fence, key.pool, [&] { return cluster_->fence(key, host); });
}

Result<> SimBackend::lift(const Op& op, const ImageKey& key, const std::string& host) {
  return with_faults(op, SimCall::lift, key.pool, [&] { return cluster_->lift(key, host); });
}

Result<FoundImage> SimBackend::find_image(const Op& op, const ImageKey& key) {
  return with_faults(op, SimCall::find_image, key.pool, [&] { return cluster_->find_image(key); });
}

Result<std::string> SimBackend::read(const Op& op, const ImageKey& key, Bytes offset, Bytes length) {
  return with_faults(op, SimCall::read, key.pool, [&] { return cluster_->read(key, offset, length); });
}

Result<> SimBackend::adopt(const Op& op, const ImageKey& key, const FoundImage& found) {
  return with_faults(op, SimCall::adopt, key.pool, [&] { return cluster_->adopt(key, found); });
}

Result<> SimBackend::release(const Op& op, const ImageKey& key) {
  return with_faults(op, SimCall::release, key.pool, [&] { return cluster_->release(key); });
}

}  // namespace volplugin::backend
