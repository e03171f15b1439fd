// SPDX-License-Identifier: Apache-2.0
#include "backend/loop/loop_backend.h"
#include "backend/sim/sim_backend.h"
#include "base/check.h"
#include "os/mount.h"
#include "os/scratch.h"
#include "tests/contract/backend_contract.h"
#include "tests/contract/ceph_environment.h"
#include "tests/contract/device_start.h"
#include "tests/contract/foreign_mount.h"
#include "tests/contract/lvm_environment.h"

#include <algorithm>
#include <iterator>

#include <unistd.h>

namespace volplugin::backend {
namespace {

class SimEnvironment final : public BackendEnvironment {
 public:
  explicit SimEnvironment(Scope scope)
      : cluster_(std::make_shared<SimCluster>(scope, Bytes::gib(100))), other_(cluster_, "host2") {
    restart();
  }

  Backend& backend() override { return *backend_; }
  void restart() override { backend_ = std::make_unique<SimBackend>(cluster_, "host1"); }
  Backend* other_host() override { return cluster_->scope() == Scope::cluster ? &other_ : nullptr; }

  void put_foreign(const std::string& image) override {
    cluster_->put_foreign("host1", {pool(), image, ""}, Bytes::mib(3));
  }
  bool foreign_untouched(const std::string& image) override {
    const auto info = cluster_->inspect("host1", {pool(), image, ""});
    return info && info->uid.empty() && info->size == Bytes::mib(3);
  }

  std::shared_ptr<void> use_elsewhere(const std::string& device) override {
    auto use = cluster_->use_device("host1", device);
    CHECK(use);
    return std::shared_ptr<SimCluster::Use>(std::move(*use));
  }
  void protect(const SnapshotKey& key, bool needed) override { cluster_->protect(key, needed); }
  bool holds_data() const override { return false; }
  bool write(const std::string& host, const ImageKey& key, const std::string&, const std::string&) override {
    return cluster_->write(host, key).has_value();
  }

 private:
  std::shared_ptr<SimCluster> cluster_;
  SimBackend other_;
  std::unique_ptr<SimBackend> backend_;
};

class LoopEnvironment final : public BackendEnvironment {
 public:
  explicit LoopEnvironment(Scope scope) : scope_(scope) {
    if (scope == Scope::cluster)
      for (const char* made_by_hand : {"pools", "pools/pool", "pools/another-pool"})
        CHECK(os::ensure_directory(dir_ / made_by_hand, 0700));
    restart();
  }

  std::string unable() const override { return ::geteuid() == 0 ? "" : "loop devices need root"; }
  Backend& backend() override { return *backend_; }
  void restart() override {
    auto opened = LoopBackend::open({.pools_dir = dir_ / "pools", .pools = {}, .scope = scope_});
    CHECK(opened);
    backend_ = std::move(*opened);
  }

  void put_foreign(const std::string& image) override {
    CHECK(os::ensure_directory(dir_ / "pools/" + pool(), 0700));
    CHECK(os::write_file_atomically(file_of(image), kForeign, 0600, os::Durability::none));
  }
  bool foreign_untouched(const std::string& image) override {
    const auto content = os::read_file(file_of(image));
    return content && *content == kForeign;
  }

  std::shared_ptr<void> use_elsewhere(const std::string& device) override {
    return mount_elsewhere(device, dir_ / "elsewhere");
  }
  bool holds_data() const override { return true; }

 private:
  static constexpr char kForeign[] = "somebody's data";
  std::string file_of(const std::string& image) const { return dir_ / "pools/" + pool() + "/" + image; }

  const Scope scope_;
  os::ScratchDir dir_;
  std::unique_ptr<LoopBackend> backend_;
};

}  // namespace

bool BackendEnvironment::write(const std::string&, const ImageKey&, const std::string& device,
                               const std::string& text) {
  return write_at_start(device, text);
}

std::shared_ptr<void> BackendEnvironment::freeze(const std::string&) {
  return nullptr;
}

void BackendEnvironment::protect(const SnapshotKey&, bool) {
  CHECK(false);
}

std::string BackendEnvironment::start_of(const SnapshotKey&) {
  CHECK(false);
}

std::vector<BackendCase> backend_environments() {
  std::vector<BackendCase> cases{
      {"sim_host_local", [] { return std::make_unique<SimEnvironment>(Scope::host_local); }},
      {"sim_cluster", [] { return std::make_unique<SimEnvironment>(Scope::cluster); }, true, true, true},
      {"loop", [] { return std::make_unique<LoopEnvironment>(Scope::host_local); }},
      {"loop_shared", [] { return std::make_unique<LoopEnvironment>(Scope::cluster); }},
  };
  std::ranges::move(ceph_environments(), std::back_inserter(cases));
  std::ranges::move(lvm_environments(), std::back_inserter(cases));
  return cases;
}

}  // namespace volplugin::backend
