// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/ceph_environment.h"

#include "base/check.h"
#include "os/file.h"
#include "tests/contract/ceph_cluster.h"
#include "tests/contract/foreign_mount.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <signal.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

Op an_op() {
  return Op(system_clock(), Millis(60'000), "test", "test");
}

}  // namespace

CephEnvironment::CephEnvironment(CephMapping here) : here_(std::move(here)) {
  if (!unable().empty()) return;
  static const bool made = make_pools();
  CHECK(made);
  restart();
  other_ = open("host2", userspace_mapping());
}

CephEnvironment::~CephEnvironment() {
  if (!unable().empty()) return;
  for (const char* pool : kPools) clear(pool);
}

std::string CephEnvironment::unable() const {
  return ::geteuid() == 0 ? "" : "mapping images needs root";
}

// Emptied after each test: making new ones takes much longer.
bool CephEnvironment::make_pools() {
  for (const char* pool : kPools) shared_ceph().make_pool(pool);
  return true;
}

std::unique_ptr<Backend> CephEnvironment::open(const std::string& host, const CephMapping& mapping) {
  RbdConfig config{.ceph = {}, .pools = {}, .state_dir = dir_ / "state", .host = host};
  config.ceph.conf = shared_ceph().conf();
  config.attach = mapping.attach;
  config.exclusive = mapping.exclusive;
  auto opened = RbdBackend::open(system_clock(), std::move(config));
  CHECK(opened);
  return std::move(*opened);
}

void CephEnvironment::put_foreign(const std::string& image) {
  shared_ceph().rbd({"create", "--size", "3", pool() + "/" + image});
}

bool CephEnvironment::foreign_untouched(const std::string& image) {
  return shared_ceph().rbd({"info", pool() + "/" + image}).find("size 3 MiB") != std::string::npos;
}

std::string CephEnvironment::spec_of(const SnapshotKey& key) {
  return fmt::format("{}/{}@{}.{}", key.image.pool, key.image.image, key.name, key.uid);
}

void CephEnvironment::protect(const SnapshotKey& key, bool needed) {
  shared_ceph().rbd({"snap", needed ? "protect" : "unprotect", spec_of(key)});
}

std::string CephEnvironment::start_of(const SnapshotKey& key) {
  const std::string file = dir_ / "snapshot";
  shared_ceph().rbd({"export", "--no-progress", spec_of(key), file});
  std::string text;
  std::getline(std::ifstream(file), text, '\0');
  std::filesystem::remove(file);
  return text;
}

std::shared_ptr<void> CephEnvironment::use_elsewhere(const std::string& device) {
  return mount_elsewhere(device, dir_ / "elsewhere");
}

int CephEnvironment::affordable(int repetitions) const {
  return here_.by_kernel() ? 2 : (repetitions + 4) / 5;
}

std::shared_ptr<void> CephEnvironment::freeze(const std::string& host) {
  if (here_.by_kernel()) return nullptr;  // nobody stops a kernel and goes on himself
  auto servers = servers_of(host);
  for (const pid_t server : servers) ::kill(server, SIGSTOP);
  return std::shared_ptr<void>(this, [servers = std::move(servers)](void*) {
    for (const pid_t server : servers) ::kill(server, SIGCONT);
  });
}

std::vector<pid_t> CephEnvironment::servers_of(const std::string& host) const {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto line = os::read_file(entry.path() / "cmdline");
    if (line && line->find(dir_ / ("state/" + host + "/")) != line->npos)
      found.push_back(std::stoi(entry.path().filename()));
  }
  return found;
}

void CephEnvironment::clear(const std::string& pool) {
  const auto images = backend_->list(an_op(), pool);
  CHECK(images);
  for (const auto& image : *images) {
    const ImageKey key{pool, image.image, image.uid};
    (void)other_->detach(an_op(), key, nullptr);
    (void)backend_->detach(an_op(), key, nullptr);
    CHECK(backend_->remove(an_op(), key));
  }
  if (pool != this->pool()) return;  // put_foreign() was not there
  std::string names = shared_ceph().rbd({"ls", pool});
  for (size_t end = 0; (end = names.find('\n')) != names.npos; names.erase(0, end + 1))
    shared_ceph().rbd({"rm", "--no-progress", pool + "/" + names.substr(0, end)});
}

CephMapping userspace_mapping() {
  return {"ceph", RbdAttach::userspace};
}

std::vector<CephMapping> ceph_mappings() {
  if (std::getenv("VOLPLUGIN_TEST_CEPH") == nullptr) return {userspace_mapping()};
  return {{"ceph_krbd", RbdAttach::kernel}, {"ceph_krbd_lent", RbdAttach::kernel, false}};
}

std::vector<BackendCase> ceph_environments() {
  std::vector<BackendCase> cases;
  for (const CephMapping& here : ceph_mappings())
    cases.push_back(
        {here.name, [here] { return std::make_unique<CephEnvironment>(here); }, true, true, true});
  return cases;
}

}  // namespace volplugin::backend
