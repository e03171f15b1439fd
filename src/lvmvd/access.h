// SPDX-License-Identifier: Apache-2.0
// Who may use what lvmvd makes: root, and the group `docker` where there is one.
#pragma once

#include "base/result.h"

#include <functional>
#include <optional>
#include <string>

#include <sys/types.h>

namespace volplugin::lvmvd {

// A group of the machine that may be missing; then files stay with the group of the process, and each of them
// costs a warning. Thread-safe if `warn` is.
class Group {
 public:
  using Warn = std::function<void(const std::string&)>;

  // Looks the group up, once.
  Group(std::string name, Warn warn);

  // For the file `path`: nothing, and a warning, when the group is missing.
  std::optional<gid_t> id_for(const std::string& path) const;
  // Makes the file root's and the group's; a link itself, not what it names. A failure is a warning.
  void give(const std::string& path) const;

 private:
  void warn(const std::string& path, const std::string& why) const;

  const std::string name_;
  const Warn warn_;
  std::optional<gid_t> id_;
  std::string missing_;  // why there is no id
};

// Makes the directory with what is missing above it, all with mode 0750, and gives it to the group; of one
// that exists only the owners change. Idempotent. Errors: already_exists when something else is there, also a
// link to a directory.
Result<> ensure_directory(const std::string& path, const Group& group);

// `path` against the working directory, without empty and "." parts and without a slash at the end.
std::string absolute_path(const std::string& path);

}  // namespace volplugin::lvmvd
