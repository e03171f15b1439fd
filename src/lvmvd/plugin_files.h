// SPDX-License-Identifier: Apache-2.0
// The files by which Docker finds lvmvd: the socket it listens on, or a spec file with its address.
#pragma once

#include "lvmvd/access.h"

#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace volplugin::lvmvd {

// `given` as an absolute path. It names the file, or a directory for it: one that exists, or anything that
// ends with a slash; the file in it is called lvm-volume-driver.sock or .json. Errors: invalid_argument when
// it is empty.
Result<std::string> socket_path(const std::string& given);
Result<std::string> spec_path(const std::string& given);

// What dockerd reads of a spec file. `address`: "host:port".
std::string spec_text(std::string_view address);

// The directory of a file, made or taken over by ensure_directory().
Result<> ensure_directory_of(const std::string& path, const Group& group);

// SpecFile: lives as long as the object; at its end the file goes too, unless somebody put another one in its
// place meanwhile.
class SpecFile {
 public:
  // Writes the file in one step (0640, root and the group), over whatever was there.
  static Result<std::unique_ptr<SpecFile>> write(const std::string& path, std::string_view address,
                                                 const Group& group);
  ~SpecFile();
  SpecFile(const SpecFile&) = delete;
  SpecFile& operator=(const SpecFile&) = delete;

 private:
  explicit SpecFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  dev_t device_ = 0;  // identity of what we wrote
  ino_t inode_ = 0;
};

}  // namespace volplugin::lvmvd
