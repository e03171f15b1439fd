// SPDX-License-Identifier: Apache-2.0
// VolumeService: what the Docker volume protocol needs of us. Implemented by the node agent and by
// lvmvd. Names come unparsed; each implementation has its own rule for them. Thread-safe, blocking.
#pragma once

#include "base/op.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace volplugin::service {

struct VolumeStatus {
  std::string name;
  std::string mount_point;  // empty when not mounted here
  WallTime created_at{};
  std::vector<std::pair<std::string, std::string>> status;  // shown by `docker volume inspect`
};

struct MountRequest {
  std::string name;
  std::string mount_id;
  std::optional<pid_t> engine;  // process that asked; must see what is mounted
};

class VolumeService {
 public:
  virtual ~VolumeService() = default;

  // Plugin.Activate came from this process. A new one means that the engine was restarted, so mount IDs
  // it uses from now on may repeat old ones.
  virtual void engine_activated(std::optional<pid_t> engine) = 0;

  virtual Result<> create(const Op& op, const std::string& name,
                          const std::map<std::string, std::string>& options) = 0;
  virtual Result<> remove(const Op& op, const std::string& name) = 0;
  // Returns the directory to give to the container.
  virtual Result<std::string> mount(const Op& op, const MountRequest& request) = 0;
  // Always drops the reference; a device that is still busy is finished in the background.
  virtual Result<> unmount(const Op& op, const std::string& name, const std::string& mount_id) = 0;
  virtual Result<std::string> path(const Op& op, const std::string& name) = 0;
  // Errors: not_found; unavailable when neither the store nor a cached answer is there.
  virtual Result<VolumeStatus> get(const Op& op, const std::string& name) = 0;
  virtual Result<std::vector<VolumeStatus>> list(const Op& op) = 0;
};

}  // namespace volplugin::service
