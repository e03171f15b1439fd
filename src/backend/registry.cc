// SPDX-License-Identifier: Apache-2.0
#include "backend/registry.h"

#include "backend/loop/loop_backend.h"
#include "backend/lvm/lvm_backend.h"
#include "backend/rbd/rbd_backend.h"
#include "backend/sim/sim_backend.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace volplugin::backend {
namespace {

using Options = std::map<std::string, std::string>;
using Opened = Result<std::unique_ptr<Backend>>;

struct Driver {
  const char* name;
  Opened (*open)(const BackendSettings& settings, const Options& options, const Clock& clock);
};

Error unknown_option(const std::string& name) {
  return make_error(Code::invalid_argument, fmt::format("unknown option '{}'", name));
}

Error bad_value(const std::string& name, const std::string& value, const char* allowed) {
  return make_error(Code::invalid_argument,
                    fmt::format("option '{}' is '{}' but must be {}", name, value, allowed));
}

Result<bool> parse_flag(const std::string& name, const std::string& value) {
  if (value != "true" && value != "false") return bad_value(name, value, "true or false");
  return value == "true";
}

Opened open_loop(const BackendSettings& settings, const Options& options, const Clock&) {
  LoopConfig config{.pools_dir = settings.data_dir + "/pools", .pools = {}};
  constexpr std::string_view kPool = "pool.", kOvercommit = "overcommit.";
  for (const auto& [name, value] : options) {
    if (name == "pools_dir") {
      if (!value.starts_with('/')) return bad_value(name, value, "an absolute path");
      config.pools_dir = value;
    } else if (name.starts_with(kPool)) {
      if (!value.starts_with('/')) return bad_value(name, value, "an absolute path");
      config.pools[name.substr(kPool.size())].directory = value;
    } else if (name.starts_with(kOvercommit)) {
      config.pools[name.substr(kOvercommit.size())].overcommit =
          TRY(parse_flag(name, value)) ? Overcommit::yes : Overcommit::no;
    } else if (name == "shared") {
      config.scope = TRY(parse_flag(name, value)) ? Scope::cluster : Scope::host_local;
    } else {
      return unknown_option(name);
    }
  }
  // The data directory is each host's own: images in there are seen by nobody else.
  if (config.scope == Scope::cluster && !options.contains("pools_dir"))
    return make_error(
        Code::invalid_argument,
        "option 'shared' needs option 'pools_dir': a directory that every host has at that path");
  return TRY(LoopBackend::open(std::move(config)));
}

Opened open_lvm(const BackendSettings&, const Options& options, const Clock&) {
  LvmConfig config;
  for (const auto& [name, value] : options) {
    if (name != "thin-reserve") return unknown_option(name);
    const char* end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, config.thin_reserve_percent);
    if (read.ec != std::errc() || read.ptr != end || config.thin_reserve_percent > 99)
      return bad_value(name, value, "a percentage from 0 to 99");
  }
  return std::make_unique<LvmBackend>(std::move(config));
}

// "id" or "keyring" of all pools or, with ".<pool>", of one.
bool take_credential(CephSettings& common, std::map<std::string, std::map<std::string, std::string>>& pools,
                     const std::string& name, const std::string& value) {
  for (const std::string_view kind : {"id", "keyring"}) {
    if (name == kind) (kind == "id" ? common.user : common.keyring) = value;
    if (name.starts_with(std::string(kind) + "."))
      pools[name.substr(kind.size() + 1)][std::string(kind)] = value;
    if (name == kind || name.starts_with(std::string(kind) + ".")) return true;
  }
  return false;
}

Opened open_ceph(const BackendSettings& settings, const Options& options, const Clock& clock) {
  RbdConfig config{.ceph = {}, .pools = {}, .state_dir = settings.data_dir + "/ceph", .host = settings.host};
  std::map<std::string, std::map<std::string, std::string>> pools;
  const std::map<std::string, RbdAttach> ways{
      {"auto", RbdAttach::automatic}, {"krbd", RbdAttach::kernel}, {"userspace", RbdAttach::userspace}};
  for (const auto& [name, value] : options) {
    if (name == "conf") {
      if (!value.starts_with('/')) return bad_value(name, value, "an absolute path");
      config.ceph.conf = value;
    } else if (name == "attach") {
      if (!ways.contains(value)) return bad_value(name, value, "auto, krbd or userspace");
      config.attach = ways.at(value);
    } else if (name == "exclusive") {
      config.exclusive = TRY(parse_flag(name, value));
    } else if (!take_credential(config.ceph, pools, name, value)) {
      return unknown_option(name);
    }
  }
  for (const auto& [pool, own] : pools) {
    CephSettings& its = config.pools[pool] = config.ceph;
    if (own.contains("id")) its.user = own.at("id");
    if (own.contains("keyring")) its.keyring = own.at("keyring");
  }
  return TRY(RbdBackend::open(clock, std::move(config)));
}

Opened open_sim(const BackendSettings&, const Options& options, const Clock&) {
  Scope scope = Scope::host_local;
  for (const auto& [name, value] : options) {
    if (name != "scope") return unknown_option(name);
    if (value != "host_local" && value != "cluster") return bad_value(name, value, "host_local or cluster");
    if (value == "cluster") scope = Scope::cluster;
  }
  return std::make_unique<SimBackend>(std::make_shared<SimCluster>(scope, Bytes::gib(1024)), "localhost");
}

constexpr std::array kDrivers{
    Driver{"ceph", open_ceph},
    Driver{"loop", open_loop},
    Driver{"lvm", open_lvm},
    Driver{"sim", open_sim},
};

}  // namespace

std::vector<std::string> known_backends() {
  std::vector<std::string> names;
  for (const Driver& driver : kDrivers) names.emplace_back(driver.name);
  return names;
}

Result<std::map<std::string, std::unique_ptr<Backend>>> open_backends(const BackendSettings& settings,
                                                                      const Clock& clock) {
  std::map<std::string, std::unique_ptr<Backend>> opened;
  for (const auto& [name, options] : settings.options) {
    const auto driver =
        std::ranges::find_if(kDrivers, [&](const Driver& candidate) { return name == candidate.name; });
    if (driver == kDrivers.end())
      return make_error(Code::invalid_argument, fmt::format("unknown backend '{}': this build has {}", name,
                                                            fmt::join(known_backends(), ", ")));
    opened[name] = TRY_CTX(driver->open(settings, options, clock), "backend '{}'", name);
  }
  return opened;
}

}  // namespace volplugin::backend
