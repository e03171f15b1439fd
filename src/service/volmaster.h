// SPDX-License-Identifier: Apache-2.0
// Volmaster: what volplugin, volsupervisor and volcli know of the control plane. Two implementations,
// held to one contract suite (tests/contract/volmaster): control::ControlPlane in process and
// client::RestVolmaster over the REST API. Thread-safe; every call blocks at most until its Op ends.
// Errors common to all: unavailable (cannot be reached, or its store cannot), deadline_exceeded.
#pragma once

#include "service/storage_work.h"
#include "service/volume_records.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::service {

enum class TaskKind { make, remove };

// Storage work for a node, handed to its agent by next_task().
struct Task {
  std::string id;
  TaskKind kind = TaskKind::make;
  model::Volume volume;
  Millis remaining{0};  // how long the result is waited for
};

struct TaskResult {
  std::string id;
  std::optional<Error> error;
  Made made;  // of a successful make
};

// Of a person, to what cannot be undone.
enum class Confirmed { no, yes };

// Of an image that exists: see docs/backends/ceph.md.
struct AdoptVolume {
  model::VolumeId id;
  std::map<std::string, std::string> options;  // driver options, unparsed
  std::optional<model::Layout> layout{};       // none: as whoever made the image has it
  // That no other volplugin uses the volume which the image belongs to.
  Confirmed confirmed = Confirmed::no;
};

struct TakeSnapshot {
  model::VolumeId volume;
  std::optional<model::SnapshotName> name{};  // none: made of the time
};

// The claim says which mount the person has looked at: one made since, by whomever, is not meant.
struct ForgetMount {
  model::VolumeId volume;
  std::optional<std::string> claim{};  // none: the record cannot be read
  Confirmed confirmed = Confirmed::no;
};

struct Health {
  bool ok = false;
  std::string store;  // "ok", "ok (etcd)" or what is wrong
  std::string version;
};

class Volmaster : public VolumeRecords {
 public:
  // Creates or replaces. `if_revision`: only if the stored one has that revision (0: only if absent).
  // Existing volumes keep the options they were made with. Errors: invalid_argument, conflict.
  virtual Result<model::Record<model::Tenant>> put_tenant(const Op& op, const model::Tenant& tenant,
                                                          std::optional<std::uint64_t> if_revision) = 0;
  // Its volumes and mounts stay. Errors: not_found, conflict.
  virtual Result<> delete_tenant(const Op& op, const model::TenantName& name,
                                 std::optional<std::uint64_t> if_revision) = 0;
  virtual Result<model::Record<model::Tenant>> get_tenant(const Op& op, const model::TenantName& name) = 0;
  virtual Result<Page<model::Tenant>> list_tenants(const Op& op, const ListQuery& query) = 0;

  // Makes a volume of the image that has its name, and leaves the data as it is. Not idempotent: a volume
  // that exists is already_exists. Fails whole or not at all, unless effect is unknown: then it stays
  // `adopting` until the image could be given back. Errors: not_found (tenant, image), invalid_argument
  // (options; the image has no file system), unsupported (the backend cannot; the image's features), busy
  // (somebody has it open; the name is mounted), permission_denied (it belongs to another volume, and nobody
  // confirmed).
  virtual Result<model::Record<model::Volume>> adopt_volume(const Op& op, const AdoptVolume& request) = 0;

  // Keeps what the volume holds now, as a power cut would leave it: what programs and the kernel have not
  // written yet is not in it. Whole or not at all, unless effect is unknown: then it stays `taking` until it
  // is cleared away. Repeating it with the same name and request id is success. Errors: not_found (volume),
  // unsupported (the backend takes none), already_exists, busy (the volume is not ready; its host is lost; in
  // use in a way that admits none).
  virtual Result<model::Record<model::Snapshot>> take_snapshot(const Op& op, const TakeSnapshot& request) = 0;
  // Errors: not_found.
  virtual Result<model::Record<model::Snapshot>> get_snapshot(const Op& op, const model::SnapshotId& id) = 0;
  // Of all volumes, of those of query.tenant, or of query.volume, which then has to exist.
  virtual Result<Page<model::Snapshot>> list_snapshots(const Op& op, const ListQuery& query) = 0;
  // What it held is lost. Errors: not_found, busy (a clone stands on it).
  virtual Result<> remove_snapshot(const Op& op, const model::SnapshotId& id) = 0;

  // volcli mount force-remove: the record only. With a claim idempotent: a mount that is gone is success.
  // Errors: conflict (held under another claim), not_found (and no claim was said), busy (the holder is not
  // known to be dead, and nobody confirmed; names it).
  virtual Result<> forget_mount(const Op& op, const ForgetMount& request) = 0;

  virtual Result<model::Record<model::Node>> get_node(const Op& op, const model::NodeName& name) = 0;
  virtual Result<Page<model::Node>> list_nodes(const Op& op, const ListQuery& query) = 0;
  // Asks for work for this node and calls back exactly once, from any thread, possibly before this
  // returns: with a task, with nullopt when none came within `wait`, or with an error. A newer call for
  // the same node ends the older one. (A callback, so that a waiting node costs volmaster no thread.)
  using TaskCallback = std::function<void(Result<std::optional<Task>>)>;
  virtual void next_task(const Op& op, const model::NodeName& node, Millis wait, TaskCallback callback) = 0;
  // Errors: not_found (nobody waits for it any more; the node need not do anything).
  virtual Result<> finish_task(const Op& op, const model::NodeName& node, const TaskResult& result) = 0;

  virtual Result<std::vector<model::Operation>> list_operations(const Op& op) = 0;
  // Errors: not_found (also of one that ended: nothing is kept of those).
  virtual Result<model::Operation> get_operation(const Op& op, const std::string& id) = 0;
  virtual Result<Health> health(const Op& op) = 0;
};

}  // namespace volplugin::service
