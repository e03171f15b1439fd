// SPDX-License-Identifier: Apache-2.0
// Journal: which Docker mount IDs use which volume on this host, so that a restarted agent counts right.
// It never says what is mounted: that is asked of the kernel. One small file per volume in `dir`, written
// atomically but not synced: it has to survive the death of the agent, not a power cut, after which
// nothing is mounted any more (files of an earlier boot are dropped).
// Thread-safe; calls for one volume are serialised by the agent.
#pragma once

#include "model/records.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::node {

struct CountedUse {
  model::MountId id;
  std::uint32_t count = 1;   // Mount calls of this ID not yet undone (docker cp repeats a live one)
  std::uint64_t engine = 0;  // the engine's life in which it was counted; an old one's count is void
  WallTime since{};
};

struct JournalEntry {
  model::Volume volume;          // as mounted: enough to unmount it without asking anybody
  std::vector<CountedUse> uses;  // empty: being unmounted
  std::string claim{};           // of the mount record
  std::string session{};         // the one of this host under which the record was last held
  bool fenced = false;           // the record was lost: somebody else may write the volume
};

class Journal {
 public:
  // Reads what an earlier agent of this boot left. Files that cannot be read are put aside as *.bad and
  // named in `problems`.
  static Result<std::unique_ptr<Journal>> open(const std::string& dir, const std::string& boot_id,
                                               std::vector<std::string>& problems);

  std::optional<JournalEntry> find(const model::VolumeId& id) const;
  std::vector<JournalEntry> all() const;
  // Both hold in memory at once; an error (disk full) says only that a restarted agent may see the state
  // before.
  Result<> put(JournalEntry entry);
  Result<> erase(const model::VolumeId& id);

  // Number of the engine's life; grows when another process than the last one activates us.
  std::uint64_t engine() const;
  Result<> engine_activated(const std::string& identity);

 private:
  Journal(std::string dir, std::string boot_id) : dir_(std::move(dir)), boot_id_(std::move(boot_id)) {}
  Result<> load(std::vector<std::string>& problems);
  Result<> load_file(const std::string& name);
  std::string file_of(const model::VolumeId& id) const;

  std::string dir_;
  std::string boot_id_;
  mutable std::mutex mutex_;
  std::map<std::string, JournalEntry> entries_;  // by tenant/volume
  std::uint64_t engine_ = 1;
  std::string engine_identity_;
};

}  // namespace volplugin::node
