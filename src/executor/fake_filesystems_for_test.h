// SPDX-License-Identifier: Apache-2.0
// FakeFilesystems: file systems that exist in memory only, over simulated devices. A mount uses its
// device in the SimCluster, so that detaching says busy as the kernel would.
#pragma once

#include "backend/sim/sim_cluster.h"
#include "executor/filesystems.h"

#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace volplugin::executor {

class FakeFilesystems final : public Filesystems {
 public:
  FakeFilesystems(std::shared_ptr<backend::SimCluster> cluster, std::string host)
      : cluster_(std::move(cluster)), host_(std::move(host)) {}

  // What a test can make the machine look like.
  std::set<std::string> used_in_containers;  // mount points
  bool engine_sees_mounts = true;
  bool open_files = false;  // umount says busy
  struct Hang {
    std::latch begun, answers;
  };
  std::map<std::string, Hang*>
      hanging;               // mount points whose umount says that it begins, and waits, with its Op
  std::string mkfs_refuses;  // non-empty: what mkfs prints when it fails

  Result<bool> is_blank(const Op&, const std::string&) override { return true; }
  Result<std::string> make(const Op&, const std::string&, const std::string& command) override {
    commands.push_back(command);
    if (!mkfs_refuses.empty()) return make_error(Code::invalid_argument, mkfs_refuses);
    return std::string("ext4");
  }
  Result<> mount(const Op& op, const std::string& device, const std::string& mount_point,
                 const std::string&) override {
    TRY(op.check("mounting"));
    const std::lock_guard lock(mutex_);
    mounts_[mount_point] = {device, TRY(cluster_->use_device(host_, device))};
    return {};
  }
  Result<> unmount(const Op& op, const std::string& mount_point) override {
    if (const auto found = hanging.find(mount_point); found != hanging.end()) {
      found->second->begun.count_down();
      while (!found->second->answers.try_wait())
        TRY(op.sleep(Millis(1)) ? Result<>() : op.check("unmounting"));
    }
    const std::lock_guard lock(mutex_);
    if (open_files && mounts_.contains(mount_point)) return make_error(Code::busy, "open files");
    mounts_.erase(mount_point);
    return {};
  }
  Result<std::optional<MountedAt>> mounted(const Op&, const std::string& mount_point) override {
    const std::lock_guard lock(mutex_);
    const auto found = mounts_.find(mount_point);
    if (found == mounts_.end()) return std::optional<MountedAt>();
    return std::optional(MountedAt{found->second.device});
  }
  bool same_device(const std::string& first, const std::string& second) override { return first == second; }
  Result<> ensure_directory(const Op&, const std::string&) override { return {}; }
  Result<bool> visible_to(pid_t, const std::string&) override { return engine_sees_mounts; }
  Result<bool> used_elsewhere(const std::string& mount_point) override {
    return used_in_containers.contains(mount_point);
  }
  Result<bool> expire(const Op&, const std::string& mount_point) override {
    const std::lock_guard lock(mutex_);
    if (!mounts_.contains(mount_point)) return true;
    if (marked_.insert(mount_point).second) return false;
    marked_.erase(mount_point);
    mounts_.erase(mount_point);
    return true;
  }

  std::vector<std::string> commands;  // every mkfs command that ran

 private:
  struct Mounted {
    std::string device;
    std::unique_ptr<backend::SimCluster::Use> use;
  };
  std::shared_ptr<backend::SimCluster> cluster_;
  std::string host_;
  std::mutex mutex_;  // over what follows
  std::map<std::string, Mounted> mounts_;
  std::set<std::string> marked_;
};

}  // namespace volplugin::executor
