// SPDX-License-Identifier: Apache-2.0
#include "backend/registry.h"

#include "backend/loop/loop_backend.h"
#include "backend/lvm/lvm_backend.h"
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
  Opened (*open)(const std::string& data_dir, const Options& options, const Clock& clock);
};

Error unknown_option(const std::string& name) {
  return make_error(Code::invalid_argument, fmt::format("unknown option '{}'", name));
}

Error bad_value(const std::string& name, const std::string& value, const char* allowed) {
  return make_error(Code::invalid_argument,
                    fmt::format("option '{}' is '{}' but must be {}", name, value, allowed));
}

Opened open_loop(const std::string& data_dir, const Options& options, const Clock&) {
  LoopConfig config{.pools_dir = data_dir + "/pools", .pools = {}};
  constexpr std::string_view kPool = "pool.", kOvercommit = "overcommit.";
  for (const auto& [name, value] : options) {
    if (name == "pools_dir") {
      if (!value.starts_with('/')) return bad_value(name, value, "an absolute path");
      config.pools_dir = value;
    } else if (name.starts_with(kPool)) {
      if (!value.starts_with('/')) return bad_value(name, value, "an absolute path");
      config.pools[name.substr(kPool.size())].directory = value;
    } else if (name.starts_with(kOvercommit)) {
      if (value != "true" && value != "false") return bad_value(name, value, "true or false");
      config.pools[name.substr(kOvercommit.size())].overcommit =
          value == "true" ? Overcommit::yes : Overcommit::no;
    } else if (name == "shared") {
      if (value != "true" && value != "false") return bad_value(name, value, "true or false");
      config.scope = value == "true" ? Scope::cluster : Scope::host_local;
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

Opened open_lvm(const std::string&, const Options& options, const Clock&) {
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

Opened open_sim(const std::string&, const Options& options, const Clock&) {
  Scope scope = Scope::host_local;
  for (const auto& [name, value] : options) {
    if (name != "scope") return unknown_option(name);
    if (value != "host_local" && value != "cluster") return bad_value(name, value, "host_local or cluster");
    if (value == "cluster") scope = Scope::cluster;
  }
  return std::make_unique<SimBackend>(std::make_shared<SimCluster>(scope, Bytes::gib(1024)), "localhost");
}

constexpr std::array kDrivers{
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
    opened[name] = TRY_CTX(driver->open(settings.data_dir, options, clock), "backend '{}'", name);
  }
  return opened;
}

}  // namespace volplugin::backend
