// SPDX-License-Identifier: Apache-2.0
// Executor: storage work on this host, backend and file systems together. Every function looks at the
// machine first and does only what is missing, so repeating it after any crash converges.
//
//   image --attach--> device --(blank)--> mkfs --detach--> made
//   made --attach--> device --mount--> <mount root>/<tenant>.<volume> --> .../data, or all of it, is the
//   container's (model::Layout)
//
// Threads: any; the caller serialises calls for one volume (a queue per volume).
#pragma once

#include "backend/backend.h"
#include "executor/filesystems.h"
#include "service/storage_work.h"

#include <map>
#include <memory>
#include <string>

namespace volplugin::executor {

using Backends = std::map<std::string, std::unique_ptr<backend::Backend>>;

enum class Unmounted {
  released,  // nothing on this machine uses the volume any more
  busy,      // unmounted here, but the device is still used elsewhere on this machine; call again later
};

// The image of a volume.
backend::ImageKey key_of(const model::Volume& volume);

class Executor final : public service::StorageWork {
 public:
  Executor(const Backends& backends, Filesystems& filesystems, std::string mount_root)
      : backends_(backends), filesystems_(filesystems), mount_root_(std::move(mount_root)) {}

  Result<service::Made> make(const Op& op, const model::Volume& volume) override;
  Result<> remove(const Op& op, const model::Volume& volume) override;

  // Attaches and mounts; already mounted is success. On error nothing stays mounted or attached.
  Result<> mount(const Op& op, const model::Volume& volume);
  // Unmounts and detaches. Errors: busy when files are open in this namespace (still mounted then).
  Result<Unmounted> unmount(const Op& op, const model::Volume& volume);

  Result<bool> is_mounted(const Op& op, const model::VolumeId& id);
  // Where the file system is mounted, and what containers get of it.
  std::string mount_point(const model::VolumeId& id) const;
  std::string data_path(const model::Volume& volume) const;

 private:
  Result<backend::Backend*> backend_of(const model::Volume& volume) const;
  Result<service::Made> format(const Op& op, backend::Backend& backend, const model::Volume& volume,
                               Bytes size);
  Result<> attach_and_mount(const Op& op, backend::Backend& backend, const model::Volume& volume);
  Result<> remove_image(const Op& op, backend::Backend& backend, const model::Volume& volume);

  const Backends& backends_;
  Filesystems& filesystems_;
  std::string mount_root_;
};

}  // namespace volplugin::executor
