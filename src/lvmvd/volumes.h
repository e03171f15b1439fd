// SPDX-License-Identifier: Apache-2.0
// The volumes of lvmvd: logical volumes of one volume group, for Docker.
#pragma once

#include "base/bytes.h"
#include "service/volume_service.h"

#include <functional>
#include <memory>
#include <string>

namespace volplugin::lvmvd {

struct VolumesSettings {
  std::string volume_group;
  std::string mount_root;
  std::string state_dir;
  Bytes default_size;
};

// `warn`: one line about something that is wrong but does not stop the work; called by any thread.
Result<std::unique_ptr<service::VolumeService>> open_volumes(
    const VolumesSettings& settings, const Clock& clock, const std::function<void(const std::string&)>& warn);

// Whether this machine has a volume group of exactly that name.
Result<bool> volume_group_exists(const Op& op, const std::string& name);

}  // namespace volplugin::lvmvd
