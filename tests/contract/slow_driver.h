// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/sim/sim_backend.h"
#include "base/op.h"

#include <future>
#include <memory>
#include <string>
#include <vector>

namespace volplugin::contract {

// A simulated driver whose adopt() and ensure_snapshot() wait until they are let go.
class SlowDriver final : public backend::Backend, private backend::Adoption, private backend::Snapshots {
 public:
  explicit SlowDriver(std::shared_ptr<backend::SimCluster> cluster) : inner_(std::move(cluster), "slow") {}

  std::promise<void> begun, go;
  bool undo_fails = false;

  const backend::Traits& traits() const override { return inner_.traits(); }
  Adoption* adoption() override { return this; }
  Snapshots* snapshots() override { return this; }
  Result<> validate_pool(const std::string& pool) const override { return inner_.validate_pool(pool); }
  Result<backend::EnsureOutcome> ensure(const Op& op, const backend::ImageKey& key, Bytes size) override {
    return inner_.ensure(op, key, size);
  }
  Result<backend::Removed> remove(const Op& op, const backend::ImageKey& key) override {
    return inner_.remove(op, key);
  }
  Result<std::optional<backend::ImageInfo>> inspect(const Op& op, const backend::ImageKey& key) override {
    return inner_.inspect(op, key);
  }
  Result<std::vector<backend::ImageInfo>> list(const Op& op, const std::string& pool) override {
    return inner_.list(op, pool);
  }
  Result<backend::PoolInfo> inspect_pool(const Op& op, const std::string& pool) override {
    return inner_.inspect_pool(op, pool);
  }
  Result<std::unique_ptr<backend::Attachment>> attach(const Op& op, const backend::ImageKey& key) override {
    return inner_.attach(op, key);
  }
  Result<std::unique_ptr<backend::Attachment>> attached_here(const Op& op,
                                                             const backend::ImageKey& key) override {
    return inner_.attached_here(op, key);
  }
  Result<> detach(const Op& op, const backend::ImageKey& key,
                  std::unique_ptr<backend::Attachment> attachment) override {
    return inner_.detach(op, key, std::move(attachment));
  }

 private:
  Adoption& plain() { return *static_cast<backend::Backend&>(inner_).adoption(); }
  Result<backend::FoundImage> find_image(const Op& op, const backend::ImageKey& key) override {
    return plain().find_image(op, key);
  }
  Result<std::string> read(const Op& op, const backend::ImageKey& key, Bytes from, Bytes length) override {
    return plain().read(op, key, from, length);
  }
  Result<> adopt(const Op& op, const backend::ImageKey& key, const backend::FoundImage& found) override {
    begun.set_value();
    go.get_future().wait();
    return plain().adopt(op, key, found);
  }
  Result<> release(const Op& op, const backend::ImageKey& key) override {
    if (undo_fails) return make_error(Code::unavailable, "the cluster hangs");
    return plain().release(op, key);
  }

  Snapshots& plain_snapshots() { return *static_cast<backend::Backend&>(inner_).snapshots(); }
  Result<backend::Ensured> ensure_snapshot(const Op& op, const backend::SnapshotKey& key) override {
    begun.set_value();
    go.get_future().wait();
    return plain_snapshots().ensure_snapshot(op, key);
  }
  Result<backend::Removed> remove_snapshot(const Op& op, const backend::SnapshotKey& key) override {
    if (undo_fails) return make_error(Code::unavailable, "the cluster hangs");
    return plain_snapshots().remove_snapshot(op, key);
  }
  Result<std::vector<backend::SnapshotInfo>> list_snapshots(const Op& op,
                                                            const backend::ImageKey& image) override {
    return plain_snapshots().list_snapshots(op, image);
  }

  backend::SimBackend inner_;
};

}  // namespace volplugin::contract
