// SPDX-License-Identifier: Apache-2.0
#include "backend/loop/loop_backend.h"
#include "backend/sim/sim_backend.h"
#include "base/check.h"
#include "os/block_device.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/scratch.h"
#include "tests/contract/backend_contract.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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
  bool holds_data() const override { return false; }

 private:
  std::shared_ptr<SimCluster> cluster_;
  SimBackend other_;
  std::unique_ptr<SimBackend> backend_;
};

// A process that has the device mounted in a mount namespace of its own.
class ForeignMount {
 public:
  ForeignMount(const std::string& device, const std::string& directory) {
    int ready[2];
    CHECK(::pipe2(ready, O_CLOEXEC) == 0);
    pid_ = ::fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) mount_and_stay(device.c_str(), directory.c_str(), ready[1]);
    ::close(ready[1]);
    char byte = 0;
    const bool mounted = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    CHECK(mounted);
  }
  ForeignMount(const ForeignMount&) = delete;
  ForeignMount& operator=(const ForeignMount&) = delete;
  ~ForeignMount() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  [[noreturn]] static void mount_and_stay(const char* device, const char* directory, int ready) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // The parent's descriptors hold devices and locks: only the mount may count here.
    ::dup2(ready, 3);
    ::close_range(4, ~0U, 0);
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount(device, directory, "ext4", 0, nullptr) == 0;
    if (mounted) (void)!::write(3, "x", 1);
    ::close(3);
    for (;;) ::pause();
  }

  pid_t pid_ = -1;
};

class LoopEnvironment final : public BackendEnvironment {
 public:
  LoopEnvironment() { restart(); }

  std::string unable() const override { return ::geteuid() == 0 ? "" : "loop devices need root"; }
  Backend& backend() override { return *backend_; }
  void restart() override {
    auto opened = LoopBackend::open({.pools_dir = dir_ / "pools", .pools = {}});
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
    const auto found = os::probe(device);
    CHECK(found);
    if (found->blank) {
      const Op op(system_clock(), Millis(20'000), "test", "test");
      const auto made = os::run(op, {.argv = {"mkfs.ext4", "-q", device}, .package = "e2fsprogs"});
      CHECK(made && made->succeeded());
    }
    const std::string directory = dir_ / "elsewhere";
    CHECK(os::ensure_directory(directory, 0700));
    return std::make_shared<ForeignMount>(device, directory);
  }
  bool holds_data() const override { return true; }

 private:
  static constexpr char kForeign[] = "somebody's data";
  std::string file_of(const std::string& image) const { return dir_ / "pools/" + pool() + "/" + image; }

  os::ScratchDir dir_;
  std::unique_ptr<LoopBackend> backend_;
};

}  // namespace

std::vector<BackendCase> backend_environments() {
  return {
      {"sim_host_local", [] { return std::make_unique<SimEnvironment>(Scope::host_local); }},
      {"sim_cluster", [] { return std::make_unique<SimEnvironment>(Scope::cluster); }},
      {"loop", [] { return std::make_unique<LoopEnvironment>(); }},
  };
}

}  // namespace volplugin::backend
