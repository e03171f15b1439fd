// SPDX-License-Identifier: Apache-2.0
// One image of the loop backend: a sparse file whose extended attribute says which volume owns it.
// No state; any thread.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "os/file.h"

#include <optional>
#include <string>

#include <sys/types.h>

namespace volplugin::backend {

inline constexpr size_t kMaxUid = 256;

struct ImageStatus {
  bool regular = false;  // anything else is foreign
  std::string uid;       // empty: foreign
  Bytes size;
  Bytes used;
  dev_t device = 0;
  ino_t inode = 0;
  nlink_t links = 0;  // 0: removed while open
};

// Never follows a symbolic link. nullopt: the name does not exist.
Result<std::optional<ImageStatus>> look_at_image(const std::string& path);
Result<ImageStatus> look_at_image(const os::FileDescriptor& file, const std::string& path);

// A blank image in `directory` that has no name yet: complete and durable, gone by itself if the process
// dies. Errors: unsupported when the file system cannot do that, resource_exhausted, invalid_argument
// when it cannot hold a file of that size.
Result<os::FileDescriptor> make_unnamed_image(const std::string& directory, const std::string& uid,
                                              Bytes size);

// Gives it its name; not yet durable. false: the name is taken, nothing changed.
Result<bool> name_image(const os::FileDescriptor& file, const std::string& path);

}  // namespace volplugin::backend
