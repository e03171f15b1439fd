// SPDX-License-Identifier: Apache-2.0
// CephLinks: the connections of one process to its cluster: one for each Ceph user, made when it is first
// needed and made again when the cluster has shut it out. (A client is blocklisted as a whole, and a fork
// would share its identity: so few of them, and programs are started with exec only.) Threads: any.
// Connecting blocks, kCephConnectTimeout at most.
#pragma once

#include "backend/rbd/ceph_connection.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace volplugin::backend {

class CephLinks {
 public:
  // `pools`: those with another user or keyring than the others.
  // Errors: unsupported (librados or librbd is not on this host; says what to install).
  static Result<std::unique_ptr<CephLinks>> open(CephSettings settings,
                                                 std::map<std::string, CephSettings> pools);

  const CephSettings& settings_of(const std::string& pool) const;
  // Errors: unavailable. After a failure the same answer is given for a moment, without another try.
  Result<std::shared_ptr<CephConnection>> to(const std::string& pool);

 private:
  struct Link {
    std::mutex mutex;
    std::shared_ptr<CephConnection> connection;
    Error failure;
    SteadyTime failed_at{};
  };

  CephLinks(OpenCephConnection* entry, CephSettings settings, std::map<std::string, CephSettings> pools)
      : open_(entry), settings_(std::move(settings)), pools_(std::move(pools)) {}

  OpenCephConnection* open_;
  const CephSettings settings_;
  const std::map<std::string, CephSettings> pools_;
  std::mutex mutex_;                   // of the map
  std::map<std::string, Link> links_;  // by user and keyring
};

}  // namespace volplugin::backend
