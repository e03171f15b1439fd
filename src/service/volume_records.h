// SPDX-License-Identifier: Apache-2.0
// VolumeRecords: what the agent of a host needs to know and to have kept about volumes: which there are, and
// who may mount them. Part of Volmaster; lvmvd has one of its own over its volume group. Thread-safe; every
// call blocks at most until its Op ends.
#pragma once

#include "base/op.h"
#include "model/records.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::service {

template <class T>
struct Page {
  std::vector<model::Record<T>> items;  // ascending by name
  std::string next;                     // pass as `after` for the next page; empty: this was the last
  std::uint64_t revision = 0;           // of the store, that this page shows
};

struct ListQuery {
  static constexpr size_t kMaxLimit = 10'000;
  std::string tenant;    // empty: all
  std::string node{};    // of mounts; empty: all
  std::string volume{};  // of snapshots, "tenant/volume"; empty: all
  std::string after;     // last name of the page before; empty: from the start
  size_t limit = 1000;
};

struct CreateVolume {
  model::VolumeId id;
  std::map<std::string, std::string> options;  // driver options, unparsed
  std::optional<model::NodeName> node;         // who asks; a host-local volume is made there
};

struct CreateOutcome {
  model::Record<model::Volume> volume;
  bool created = false;  // false: it was there already with the same options
};

enum class RemoveMode {
  delete_data,    // volcli volume remove
  if_ephemeral,   // docker volume rm: deletes data only of an ephemeral volume, else does nothing
  forget_record,  // volcli volume force-remove: the record only
};

struct OpenSession {
  static constexpr Millis kMinTtl{2'000};  // what etcd can do
  static constexpr Millis kMaxTtl{3'600'000};
  model::Node node;
  std::string host;  // what tells this host from another one with the same label
  Millis ttl{30'000};
};

// A claim is made up by the node, anew for each time that it takes a volume, and never replaced by another
// one: whoever repeats a call too late names a claim that is over.
struct AcquireMount {
  model::VolumeId volume;
  model::NodeName node;
  std::string session;
  std::string claim;
  std::string mount_point;
  model::Use use;                // the first one
  bool only_if_claimed = false;  // the node has it mounted: renew that under this session, or refuse
};

struct UpdateMount {
  model::VolumeId volume;
  model::NodeName node;
  std::string claim;
  model::MountPhase phase = model::MountPhase::mounted;
  std::string message;
  std::vector<model::Use> uses;
};

struct ReleaseMount {
  model::VolumeId volume;
  model::NodeName node;
  std::string claim;
  bool fenced = false;  // the node had lost the right to it, and has let go of the image now
};

class VolumeRecords {
 public:
  virtual ~VolumeRecords() = default;

  // Idempotent for the same options. Errors: not_found (tenant), invalid_argument, already_exists (names
  // the difference), resource_exhausted, busy (being removed).
  virtual Result<CreateOutcome> create_volume(const Op& op, const CreateVolume& request) = 0;
  virtual Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) = 0;
  virtual Result<Page<model::Volume>> list_volumes(const Op& op, const ListQuery& query) = 0;
  // Its snapshots go with it. Errors: not_found, busy (mounted: says where, by which mount IDs, since when; a
  // snapshot is needed).
  virtual Result<> remove_volume(const Op& op, const model::VolumeId& id, RemoveMode mode) = 0;

  // One compare-and-swap. Idempotent for the same node and claim (the use is added). Errors: not_found,
  // conflict (held by another node, and names it, or by this one under another claim; or the session has
  // ended; or, if only_if_claimed, the mount is no longer this node's), busy (not ready).
  virtual Result<model::Record<model::Mount>> acquire_mount(const Op& op, const AcquireMount& request) = 0;
  // Replaces what the holder tells of its mount. Errors: not_found, conflict (another holder or claim).
  virtual Result<model::Record<model::Mount>> update_mount(const Op& op, const UpdateMount& request) = 0;
  // Idempotent: an absent record is success, and for one that was fenced another's record is, too: the node
  // may attach the image again then. Errors: conflict (another holder or claim).
  virtual Result<> release_mount(const Op& op, const ReleaseMount& request) = 0;
  virtual Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) = 0;
  virtual Result<Page<model::Mount>> list_mounts(const Op& op, const ListQuery& query) = 0;

  // Makes the node known and its session, or finds the one it has: repeating it is harmless. The session
  // ends when it is not renewed for its ttl, counted from when the call was made at the earliest.
  // Errors: invalid_argument (ttl), conflict (another host has a session under this name).
  virtual Result<model::Record<model::Session>> open_session(const Op& op, const OpenSession& request) = 0;
  // It has its full ttl again. Errors: not_found (it has ended).
  virtual Result<> renew_session(const Op& op, const model::NodeName& node, const std::string& session) = 0;
};

}  // namespace volplugin::service
