// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/calls.h"
#include "executor/filesystems.h"

namespace volplugin::executor {

class HostFilesystems final : public Filesystems {
 public:
  Result<bool> is_blank(const Op& op, const std::string& device) override;
  Result<std::string> make(const Op& op, const std::string& device, const std::string& command) override;
  Result<> mount(const Op& op, const std::string& device, const std::string& mount_point,
                 const std::string& type) override;
  Result<> unmount(const Op& op, const std::string& mount_point) override;
  Result<std::optional<MountedAt>> mounted(const Op& op, const std::string& mount_point) override;
  bool same_device(const std::string& first, const std::string& second) override;
  Result<> ensure_directory(const Op& op, const std::string& path) override;
  Result<bool> visible_to(pid_t process, const std::string& mount_point) override;
  Result<bool> used_elsewhere(const std::string& mount_point) override;
  Result<bool> expire(const Op& op, const std::string& mount_point) override;

 private:
  static constexpr size_t kMostCalls = 1024;  // one for each device or mount point that hangs
  Calls calls_{"mount", kMostCalls};
};

}  // namespace volplugin::executor
