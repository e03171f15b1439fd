// SPDX-License-Identifier: Apache-2.0
// Truth: what a simulated run has to keep to, whatever happens in it (ARCHITECTURE.md, invariants). It reads
// the records as the store has them, not as anybody's cache shows them, and the storage as it is.
#pragma once

#include "host.h"
#include "sim_store.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

namespace volplugin::sim {

class Truth {
 public:
  Truth(Storage& storage, const std::deque<Host>& hosts) : storage_(storage), hosts_(hosts) {}

  // Whether a volmaster that lives works on the volume.
  std::function<bool(const std::string& volume)> at_work = [](const std::string&) { return false; };

  void changed(const kv::Event& event);                // of the store
  std::string describe(const std::string& key) const;  // the record, for the trace
  void formatting(const std::string& uid);             // before it happens
  void wrote(const std::string& uid) { ++storage_.writes[uid]; }

  // Promises to users: from the answer of a create until a remove begins.
  std::uint64_t removes_of(const std::string& volume) { return removes_[volume]; }
  void created(const model::Volume& volume, std::uint64_t removes);
  std::string begin_remove(const std::string& volume);
  void end_remove(const std::string& volume, const std::string& promised_uid);

  // The same of snapshots: from the answer of a take until a removal of it, or of its volume, begins.
  std::uint64_t snapshot_removes_of(const model::SnapshotId& id);
  void taken(const model::Snapshot& snapshot, std::uint64_t removes);
  void begin_snapshot_removal(const model::SnapshotId& id);
  void end_snapshot_removal(const model::SnapshotId& id) { --snapshot_removes_under_way_[id.text()]; }

  // Of a mount that was answered with success. `ends`: session_ends() before it.
  void mounted(const Host& host, const std::string& volume, std::uint64_t ends);
  std::uint64_t session_ends(const std::string& node) { return session_ends_[node]; }

  void check();       // after every step
  void check_rest();  // when everything was mended and came to rest
  void violated(const std::string& what);
  const std::optional<std::string>& violation() const { return violation_; }

  const std::map<std::string, model::Volume>& volumes() const { return volumes_; }
  const std::map<std::string, model::Mount>& mounts() const { return mounts_; }
  bool has_session(const std::string& node) const { return sessions_.contains(node); }

 private:
  void volume_changed(const std::string& name, const kv::Event& event);
  void snapshot_changed(const std::string& name, const kv::Event& event);
  void mount_changed(const std::string& name, const kv::Event& event);
  void session_changed(const std::string& node, const kv::Event& event);
  std::string volume_of(const std::string& uid) const;
  void check_writers();
  void check_mounts();
  void check_images();
  void check_promises();
  void check_found();
  void check_snapshots();
  void check_snapshots_at_rest();

  Storage& storage_;
  const std::deque<Host>& hosts_;
  std::map<std::string, model::Volume> volumes_;
  std::map<std::string, model::Mount> mounts_;
  std::map<std::string, std::string> sessions_;
  std::map<std::string, std::uint64_t> session_ends_;
  std::map<std::string, std::uint64_t> fencing_;  // the highest of each volume
  std::map<std::string, std::uint64_t> removes_;
  std::map<std::string, int> removes_under_way_;
  std::map<std::string, std::string> promised_;  // volume -> uid
  std::map<std::string, model::Snapshot> snapshots_;
  std::map<std::string, std::uint64_t> snapshot_removes_;
  std::map<std::string, int> snapshot_removes_under_way_;
  std::map<std::string, std::string> promised_snapshots_;  // snapshot -> uid
  std::set<std::string> ever_ready_;
  std::optional<std::string> violation_;
};

}  // namespace volplugin::sim
