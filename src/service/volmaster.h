// SPDX-License-Identifier: Apache-2.0
// Volmaster: what volplugin, volsupervisor and volcli know of the control plane. Two implementations,
// held to one contract suite (tests/contract/volmaster): control::ControlPlane in process and
// client::RestVolmaster over the REST API. Thread-safe; every call blocks at most until its Op ends.
// Errors common to all: unavailable (cannot be reached, or its store cannot), deadline_exceeded.
#pragma once

#include "base/op.h"
#include "model/records.h"
#include "service/storage_work.h"

#include <functional>
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
  std::string tenant;  // empty: all
  std::string after;   // last name of the page before; empty: from the start
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

struct AcquireMount {
  model::VolumeId volume;
  model::NodeName node;
  std::string mount_point;
  model::Use use;  // the first one
};

struct UpdateMount {
  model::VolumeId volume;
  model::NodeName node;
  model::MountPhase phase = model::MountPhase::mounted;
  std::string message;
  std::vector<model::Use> uses;
};

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

struct Health {
  bool ok = false;
  std::string store;  // "ok" or what is wrong
  std::string version;
};

class Volmaster {
 public:
  virtual ~Volmaster() = default;

  // Creates or replaces. `if_revision`: only if the stored one has that revision (0: only if absent).
  // Existing volumes keep the options they were made with. Errors: invalid_argument, conflict.
  virtual Result<model::Record<model::Tenant>> put_tenant(const Op& op, const model::Tenant& tenant,
                                                          std::optional<std::uint64_t> if_revision) = 0;
  // Its volumes and mounts stay. Errors: not_found, conflict.
  virtual Result<> delete_tenant(const Op& op, const model::TenantName& name,
                                 std::optional<std::uint64_t> if_revision) = 0;
  virtual Result<model::Record<model::Tenant>> get_tenant(const Op& op, const model::TenantName& name) = 0;
  virtual Result<Page<model::Tenant>> list_tenants(const Op& op, const ListQuery& query) = 0;

  // Idempotent for the same options. Errors: not_found (tenant), invalid_argument, already_exists (names
  // the difference), resource_exhausted, busy (being removed).
  virtual Result<CreateOutcome> create_volume(const Op& op, const CreateVolume& request) = 0;
  virtual Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) = 0;
  virtual Result<Page<model::Volume>> list_volumes(const Op& op, const ListQuery& query) = 0;
  // Errors: not_found, busy (mounted: says where, by which mount IDs, since when).
  virtual Result<> remove_volume(const Op& op, const model::VolumeId& id, RemoveMode mode) = 0;

  // One compare-and-swap. Idempotent for the same node (the use is added). Errors: not_found, conflict
  // (held by another node; names it), busy (not ready).
  virtual Result<model::Record<model::Mount>> acquire_mount(const Op& op, const AcquireMount& request) = 0;
  // Replaces what the holder tells of its mount. Errors: not_found, conflict (another holder).
  virtual Result<model::Record<model::Mount>> update_mount(const Op& op, const UpdateMount& request) = 0;
  // Idempotent: an absent record is success. Errors: conflict (held by another node).
  virtual Result<> release_mount(const Op& op, const model::VolumeId& id, const model::NodeName& node) = 0;
  // volcli mount force-remove: the record only, whoever holds it. Errors: not_found.
  virtual Result<> forget_mount(const Op& op, const model::VolumeId& id) = 0;
  virtual Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) = 0;
  virtual Result<Page<model::Mount>> list_mounts(const Op& op, const ListQuery& query) = 0;

  virtual Result<model::Record<model::Node>> register_node(const Op& op, const model::Node& node) = 0;
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
  virtual Result<Health> health(const Op& op) = 0;
};

}  // namespace volplugin::service
