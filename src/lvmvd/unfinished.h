// SPDX-License-Identifier: Apache-2.0
// Unfinished: the volumes that are being made, on disk before LVM is asked and gone after the file system is
// made. What is in it after a crash is no volume yet, and nobody was told of it: it is removed again.
// One small file per volume, synced. Thread-safe; one caller at a time per volume.
#pragma once

#include "model/records.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::lvmvd {

class Unfinished {
 public:
  // Reads what an earlier life left. A file that makes no sense is put aside and told in `problems`.
  static Result<std::unique_ptr<Unfinished>> open(const std::string& dir, std::vector<std::string>& problems);

  // Both are durable on return. Repeating them is harmless.
  Result<> add(const model::Volume& volume);
  Result<> erase(const model::VolumeId& id);

  std::optional<model::Volume> find(const model::VolumeId& id) const;
  std::vector<model::Volume> all() const;

 private:
  explicit Unfinished(std::string dir) : dir_(std::move(dir)) {}
  std::string file_of(const model::VolumeId& id) const;

  std::string dir_;
  mutable std::mutex mutex_;
  std::map<std::string, model::Volume> volumes_;
};

}  // namespace volplugin::lvmvd
