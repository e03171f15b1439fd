// SPDX-License-Identifier: Apache-2.0
// The storage of a simulated cluster and the kernels of its hosts: what outlives every process. A process
// reaches it through a ProcessBackend and ProcessFilesystems of its own.
#pragma once

#include "backend/sim/sim_backend.h"
#include "executor/filesystems.h"
#include "process.h"

#include <functional>
#include <map>
#include <set>
#include <vector>

namespace volplugin::sim {

// The image that was there before all volumes, of somebody else: it is adopted and forgotten, never removed.
inline constexpr const char* kFoundVolume = "t/found";
inline const backend::ImageKey kFoundImage{"pool", "t.found", "nobody"};
std::string found_content();  // how it begins: with a file system

// A container that runs and has a volume: it keeps the device in use, also when the host unmounted it.
struct Container {
  std::string id;
  std::string volume;  // tenant/volume
  std::string uid;
  std::unique_ptr<backend::SimCluster::Use> use;
};

struct Kernel {
  struct Mounted {
    std::string device;
    std::string uid;
    std::unique_ptr<backend::SimCluster::Use> use;
  };
  std::string host;
  std::map<std::string, Mounted> mounts;  // by mount point
  std::set<std::string> unused;           // marked by expire()
  std::vector<Container> containers;

  std::set<std::string> uids_in_use() const;
};

class Storage {
 public:
  std::shared_ptr<backend::SimCluster> cluster =
      std::make_shared<backend::SimCluster>(backend::Scope::cluster, Bytes::gib(100));
  std::map<std::string, backend::ImageKey> images;        // by uid, all that were ever made
  std::set<std::string> present;                          // uids of those that exist
  std::map<std::string, std::string> formatted;           // uid -> by whom, last
  std::map<std::string, std::string> latest_mount;        // uid -> host
  std::map<std::string, std::uint64_t> writes;            // uid -> how many succeeded
  std::function<void(const std::string& uid)> on_format;  // before it happens

  // Uids of the snapshots of an image.
  std::set<std::string> snapshots_of(const std::string& uid) const;
  bool can_write(const std::string& host, const std::string& uid) const;
  void note_device(const std::string& host, const std::string& device, const backend::ImageKey& key);
  std::string uid_on(const std::string& host, const std::string& device) const;

 private:
  std::map<std::pair<std::string, std::string>, std::string> devices_;
};

class ProcessBackend final : public backend::Backend,
                             private backend::Snapshots,
                             private backend::Fencing,
                             private backend::Adoption {
 public:
  ProcessBackend(Storage& storage, Gate& gate, Process& process, const std::string& host)
      : storage_(storage), gate_(gate), process_(process), host_(host), inner_(storage.cluster, host) {}

  const backend::Traits& traits() const override { return inner_.traits(); }
  backend::Snapshots* snapshots() override { return this; }
  backend::Fencing* fencing() override { return this; }
  backend::Adoption* adoption() override { return this; }
  Result<> validate_pool(const std::string& pool) const override { return inner_.validate_pool(pool); }
  Result<backend::EnsureOutcome> ensure(const Op& op, const backend::ImageKey& key, Bytes size) override;
  Result<backend::Removed> remove(const Op& op, const backend::ImageKey& key) override;
  Result<std::optional<backend::ImageInfo>> inspect(const Op& op, const backend::ImageKey& key) override;
  Result<std::vector<backend::ImageInfo>> list(const Op& op, const std::string& pool) override;
  Result<backend::PoolInfo> inspect_pool(const Op& op, const std::string& pool) override;
  Result<std::unique_ptr<backend::Attachment>> attach(const Op& op, const backend::ImageKey& key) override;
  Result<std::unique_ptr<backend::Attachment>> attached_here(const Op& op,
                                                             const backend::ImageKey& key) override;
  Result<> detach(const Op& op, const backend::ImageKey& key,
                  std::unique_ptr<backend::Attachment> attachment) override;

 private:
  Result<backend::Ensured> ensure_snapshot(const Op& op, const backend::SnapshotKey& key) override;
  Result<backend::Removed> remove_snapshot(const Op& op, const backend::SnapshotKey& key) override;
  Result<std::vector<backend::SnapshotInfo>> list_snapshots(const Op& op,
                                                            const backend::ImageKey& image) override;
  backend::Snapshots& inner_snapshots() { return *static_cast<backend::Backend&>(inner_).snapshots(); }
  Result<> fence(const Op& op, const backend::ImageKey& key, const std::string& host) override;
  Result<> lift(const Op& op, const backend::ImageKey& key, const std::string& host) override;
  Result<backend::FoundImage> find_image(const Op& op, const backend::ImageKey& key) override;
  Result<std::string> read(const Op& op, const backend::ImageKey& key, Bytes offset, Bytes length) override;
  Result<> adopt(const Op& op, const backend::ImageKey& key, const backend::FoundImage& found) override;
  Result<> release(const Op& op, const backend::ImageKey& key) override;
  backend::Adoption& inner_adoption() { return *static_cast<backend::Backend&>(inner_).adoption(); }
  template <class Act>
  auto call(std::string_view what, Act act) -> decltype(act());

  Storage& storage_;
  Gate& gate_;
  Process& process_;
  const std::string host_;
  backend::SimBackend inner_;
};

class ProcessFilesystems final : public executor::Filesystems {
 public:
  ProcessFilesystems(Storage& storage, Gate& gate, Process& process, Kernel& kernel)
      : storage_(storage), gate_(gate), process_(process), kernel_(kernel) {}

  Result<bool> is_blank(const Op& op, const std::string& device) override;
  Result<std::string> make(const Op& op, const std::string& device, const std::string& command) override;
  Result<> mount(const Op& op, const std::string& device, const std::string& mount_point,
                 const std::string& type) override;
  Result<> unmount(const Op& op, const std::string& mount_point) override;
  Result<std::optional<executor::MountedAt>> mounted(const Op& op, const std::string& mount_point) override;
  bool same_device(const std::string& first, const std::string& second) override { return first == second; }
  Result<> ensure_directory(const Op&, const std::string&) override { return {}; }
  Result<bool> visible_to(pid_t, const std::string&) override { return true; }
  Result<bool> used_elsewhere(const std::string& mount_point) override;
  Result<bool> expire(const Op& op, const std::string& mount_point) override;

 private:
  template <class Act>
  auto call(std::string_view what, Act act) -> decltype(act());

  Storage& storage_;
  Gate& gate_;
  Process& process_;
  Kernel& kernel_;
};

}  // namespace volplugin::sim
