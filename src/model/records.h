// SPDX-License-Identifier: Apache-2.0
// The records of the control plane and their states. Plain values; the rules are functions.
#pragma once

#include "base/clock.h"
#include "model/names.h"
#include "model/options.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::model {

// A record and the store revision of its last change; shared and immutable, so that lists copy pointers.
template <class T>
struct Versioned {
  T value;
  std::uint64_t revision = 0;
  // Of both, as the API answers it, where the catalog found it worth keeping; empty in a changed copy.
  std::string text{};
};
template <class T>
using Record = std::shared_ptr<const Versioned<T>>;

struct Tenant {
  TenantName name;
  OptionSet defaults;                              // "default-options"
  std::map<std::string, std::string> filesystems;  // name -> mkfs command
};

// Rules of a policy beyond the form of its fields: filesystems not empty and each with a `%`, the
// named filesystem known, a size, snapshots with frequency and keep. An empty `filesystems` gets the
// default ext4 command. Errors: invalid_argument naming the JSON field.
Result<Tenant> validate_tenant(Tenant tenant);

// Life of a volume. The record is written before storage is touched and after it is done, so a crash
// leaves one of these and recovery knows what to do:
//
//   (none) --create--> creating --made--> ready --remove--> removing --gone--> (none)
//                         |                                     |
//                         +--undone--> (none)                   +-- stays until the image is gone
//                         +--cleared away by a later call, or undoing failed--> failed --undone--> (none)
//
//   (none) --adopt--> adopting --taken--> ready     An image that existed: undoing never deletes it, and only
//                         |                         ends here, so that no other phase can be undone for it.
//                         +--released--> (none)
enum class Phase { creating, adopting, ready, removing, failed };
std::string_view to_string(Phase phase);
Result<Phase> parse_phase(std::string_view word);

// Which directory of its file system a container gets.
enum class Layout {
  data,  // the directory "data", so that lost+found does not stop Docker's copy-up
  root,  // the file system itself: lvmvd's volumes, and images that volplugin did not make
};
std::string_view to_string(Layout layout);
// Errors: invalid_argument.
Result<Layout> parse_layout(std::string_view word);

struct Volume {
  VolumeId id;
  std::string uid;  // never used again, also not by a volume of the same name
  VolumeOptions options;
  std::string filesystem_command;  // as the policy had it at creation; empty: adopted
  std::string filesystem_type;     // what mount(2) is told; found by probing after mkfs
  Bytes size;                      // what the backend made, exactly
  Layout layout = Layout::data;
  std::optional<NodeName> node;  // holder of a host-local volume
  Phase phase = Phase::creating;
  std::string operation;  // id of the request that changes it or changed it last
  std::string worker{};   // the volmaster that works on it; empty: at rest
  std::string message;    // why it is failed, or why adopting or removing takes long
  WallTime created_at{};
  WallTime changed_at{};
};

struct Use {
  MountId id;
  WallTime since{};
};

// mounted: in use on `node`. unmounting: no container uses it any more, but the kernel still does.
// fencing: the node is lost and is being cut off from the volume; it can never use this mount again.
enum class MountPhase { mounted, unmounting, fencing };
std::string_view to_string(MountPhase phase);
Result<MountPhase> parse_mount_phase(std::string_view word);

struct Mount {
  VolumeId volume;
  std::string volume_uid;
  NodeName node;
  std::string session;        // of the node: while it lives the node vouches for the mount
  std::string claim;          // the node's word for this time of holding the volume
  std::uint64_t fencing = 0;  // grows with every mount of the volume: the store revision that made it
  MountPhase phase = MountPhase::mounted;
  std::string mount_point;
  std::string message;    // why unmounting takes long
  std::vector<Use> uses;  // Docker mount IDs, as the node last told
  WallTime since{};
  bool stale = false;  // not stored: the session has ended, nobody vouches for the mount
};

// Life of a snapshot. As with volumes, the record comes before the storage is touched and ends after:
//
//   (none) --take--> taking --taken--> ready --remove--> removing --gone--> (none)
//                       |                                    ^
//                       +--------failed, or cut short--------+
enum class SnapshotPhase { taking, ready, removing };
std::string_view to_string(SnapshotPhase phase);
Result<SnapshotPhase> parse_snapshot_phase(std::string_view word);

// What a volume held at one moment. It goes with its volume.
struct Snapshot {
  SnapshotId id;
  std::string uid;         // never used again, also not by a snapshot of the same name
  std::string volume_uid;  // of the volume it is of
  Bytes size;              // of the volume at that moment
  SnapshotPhase phase = SnapshotPhase::taking;
  std::string operation;  // id of the request that changes it or changed it last
  std::string worker{};   // the volmaster that works on it; empty: at rest
  std::string message{};  // why removing takes long
  WallTime taken_at{};
  WallTime changed_at{};
};

struct Node {
  NodeName name;
  std::string version;
  std::vector<std::string> backends;
  std::string boot_id;
  WallTime started_at{};
  std::vector<std::string> fenced{};  // volumes it still has mounted, though it lost the right to
  bool connected = false;             // not stored: the server knows it from the node's open request
  bool lost = false;                  // not stored: it has no session
};

// That a volmaster is there and works on volumes; it hangs on a lease.
struct Worker {
  std::string name;
  WallTime since{};
};

// That a host is there. It hangs on a lease of the store, which the host renews: a host that is not heard of
// for the time to live loses its session.
struct Session {
  NodeName node;
  std::string id;    // never given out twice
  std::string host;  // of that name: tells two hosts with the same label apart
  std::string boot_id;
  Millis ttl{0};
  WallTime since{};
};

// A change of storage that is under way or did not end: derived from volumes and mounts that are not at rest.
struct Operation {
  std::string id;
  std::string kind;    // create, adopt, remove, unmount, snapshot, remove-snapshot
  std::string volume;  // tenant/volume, or of a snapshot tenant/volume/snapshot
  std::string state;   // running, failed
  std::string message;
  WallTime since{};
};

}  // namespace volplugin::model
