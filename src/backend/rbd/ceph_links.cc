// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/ceph_links.h"

#include <filesystem>

#include <dlfcn.h>
#include <fmt/format.h>

namespace volplugin::backend {
namespace {

constexpr char kModule[] = "volplugin-rbd.so";
constexpr Millis kTryAgain{2'000};

// Beside the program when it was built here, else where packages put it.
std::vector<std::string> places() {
  std::error_code none;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", none);
  return {program.parent_path() / kModule, program.parent_path().parent_path() / "lib/volplugin" / kModule};
}

// Never unloaded: its threads may outlive the last connection for a moment.
Result<OpenCephConnection*> load_module() {
  std::string why;
  for (const auto& place : places()) {
    void* module = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
      why = ::dlerror();
      if (std::filesystem::exists(place)) break;
      continue;
    }
    if (void* entry = ::dlsym(module, kOpenCephConnection); entry != nullptr)
      return reinterpret_cast<OpenCephConnection*>(entry);
    why = ::dlerror();
  }
  return make_error(
      Code::unsupported,
      fmt::format("this host cannot use Ceph: {} (install the packages librbd1 and librados2)", why));
}

}  // namespace

Result<std::unique_ptr<CephLinks>> CephLinks::open(CephSettings settings,
                                                   std::map<std::string, CephSettings> pools) {
  auto* entry = TRY(load_module());
  return std::unique_ptr<CephLinks>(new CephLinks(entry, std::move(settings), std::move(pools)));
}

const CephSettings& CephLinks::settings_of(const std::string& pool) const {
  const auto its_own = pools_.find(pool);
  return its_own == pools_.end() ? settings_ : its_own->second;
}

Result<std::shared_ptr<CephConnection>> CephLinks::to(const std::string& pool) {
  const CephSettings& settings = settings_of(pool);
  std::unique_lock all(mutex_);
  Link& link = links_[settings.user + "\n" + settings.keyring];  // stays where it is
  all.unlock();
  const std::lock_guard one(link.mutex);
  if (link.connection && link.connection->usable()) return link.connection;
  const SteadyTime now = std::chrono::steady_clock::now();
  if (link.failed_at != SteadyTime{} && now - link.failed_at < kTryAgain) return link.failure;
  Result<std::unique_ptr<CephConnection>> opened = make_error(Code::internal, "not connected");
  open_(settings, opened);
  if (!opened) {
    link.failure = opened.error();
    link.failed_at = std::chrono::steady_clock::now();
    return opened.error();
  }
  link.connection = std::move(*opened);
  return link.connection;
}

}  // namespace volplugin::backend
