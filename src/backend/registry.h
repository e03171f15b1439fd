// SPDX-License-Identifier: Apache-2.0
// The table of all storage drivers: the only place that knows them by name. To add one, write it, let it
// pass tests/contract/backend_contract.h and add a line in registry.cc (docs/howto).
#pragma once

#include "backend/backend.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::backend {

// What a server uses where it is told nothing: works on every host, with no other service.
inline constexpr std::string_view kDefaultBackend = "loop";
inline constexpr std::string_view kDefaultPool = "default";  // of that backend

struct BackendSettings {
  std::string data_dir;  // drivers keep what they store themselves in directories below it
  std::string host;      // what drivers of cluster-wide storage call this process's host
  // Driver name -> its options. A driver is opened when it is named here, if only with no options.
  //   loop: pools_dir (default <data_dir>/pools), pool.<name> = existing directory,
  //         overcommit.<name> = true | false (default), shared = true | false (default)
  //   lvm:  thin-reserve = percent of a thin pool that stays free of new volumes (default 10)
  //   ceph: conf (default /etc/ceph/ceph.conf), id (default admin), keyring (default: ceph.conf's),
  //         id.<pool>, keyring.<pool>, attach = auto (default) | krbd | userspace
  //   sim:  scope = host_local (default) | cluster
  std::map<std::string, std::map<std::string, std::string>> options;
};

// Every driver this build has, sorted.
std::vector<std::string> known_backends();

// Opens the named drivers. Errors: invalid_argument naming the unknown driver, option or value.
Result<std::map<std::string, std::unique_ptr<Backend>>> open_backends(const BackendSettings& settings,
                                                                      const Clock& clock);

}  // namespace volplugin::backend
