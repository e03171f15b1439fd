// SPDX-License-Identifier: Apache-2.0
// LibrbdConnection: CephConnection over librados and librbd. Connected from open() to its destruction.
#pragma once

#include "backend/rbd/ceph_connection.h"
#include "backend/rbd/module/handles.h"

#include <atomic>

namespace volplugin::backend {

// Of an image that has no id.
Error old_format(const std::string& pool, const std::string& image);

class LibrbdConnection final : public CephConnection {
 public:
  static Result<std::unique_ptr<CephConnection>> open(const CephSettings& settings);
  ~LibrbdConnection() override;
  LibrbdConnection(const LibrbdConnection&) = delete;
  LibrbdConnection& operator=(const LibrbdConnection&) = delete;

  bool usable() const override { return usable_; }

  Result<> check_pool(const std::string& pool) override;
  Result<> create_image(const std::string& pool, const std::string& image, Bytes size,
                        std::uint64_t features) override;
  Result<std::optional<CephImage>> find_image(const std::string& pool, const std::string& image) override;
  Result<std::optional<std::string>> image_id(const std::string& pool, const std::string& image) override;
  Result<std::vector<std::string>> image_names(const std::string& pool) override;
  Result<std::uint64_t> features(const std::string& pool, const std::string& image) override;
  Result<> enable_features(const std::string& pool, const std::string& image,
                           std::uint64_t features) override;
  Result<std::string> read(const std::string& pool, const std::string& image, Bytes offset,
                           Bytes length) override;
  Result<Bytes> used(const std::string& pool, const std::string& image) override;
  Result<> remove_image(const std::string& pool, const std::string& image) override;
  Result<> clear_remains(const std::string& pool, const std::string& image, const std::string& id) override;

  Result<std::vector<std::string>> watchers(const std::string& pool, const std::string& id) override;
  Result<std::optional<std::string>> lock_owner(const std::string& pool, const std::string& image) override;
  Result<> break_lock(const std::string& pool, const std::string& image, const std::string& owner) override;
  Result<> blocklist(const std::string& client, std::chrono::seconds time) override;

  Result<std::vector<CephSnapshot>> snapshots(const std::string& pool, const std::string& image) override;
  Result<> take_snapshot(const std::string& pool, const std::string& image, const std::string& id,
                         const std::string& snapshot) override;
  Result<> remove_snapshot(const std::string& pool, const std::string& image,
                           const std::string& snapshot) override;

  Result<Notes> notes(const std::string& pool, const std::string& prefix) override;
  Result<bool> replace_note(const std::string& pool, const std::string& name, const std::string& expected,
                            const std::string& value) override;
  Result<> erase_notes(const std::string& pool, const std::vector<std::string>& names) override;

  Result<std::string> monitor_command(const std::string& json) override;

 private:
  enum class Access { read_only, read_write };

  explicit LibrbdConnection(rados_t cluster) : cluster_(cluster) {}
  Error failure(int failed, std::string_view what, Effect effect = Effect::none);
  Result<PoolHandle> pool_of(const std::string& pool);
  // nullopt: no such image.
  Result<std::optional<ImageHandle>> open_image(const std::string& pool, const std::string& image,
                                                Access access);
  Result<ImageHandle> need_image(const std::string& pool, const std::string& image, Access access);
  Result<int> operate(const PoolHandle& pool, rados_write_op_t operation);

  rados_t cluster_;
  std::atomic<bool> usable_ = true;
};

}  // namespace volplugin::backend
