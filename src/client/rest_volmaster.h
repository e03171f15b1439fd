// SPDX-License-Identifier: Apache-2.0
// RestVolmaster: volmasters elsewhere that serve the same records, over their REST API (api/openapi.yaml).
// One file per resource. Which of them is asked, and what happens when one does not answer: see Masters.
// Errors that volmaster answered come back as they were made; see http::Client for those of the way.
// Thread-safe; keeps connections alive.
#pragma once

#include "client/exchange.h"
#include "service/volmaster.h"

#include <memory>
#include <string>

namespace volplugin::client {

class RestVolmaster final : public service::Volmaster {
 public:
  // `addresses`: "host:port" or "unix:///path", the first one is preferred; does not connect. `actor` says
  // to volmaster who asks: letters, digits, - and _, at most 64. Errors: invalid_argument.
  static Result<std::unique_ptr<RestVolmaster>> open(const std::vector<std::string>& addresses,
                                                     std::string actor, Patience patience = {});

  Result<model::Record<model::Tenant>> put_tenant(const Op& op, const model::Tenant& tenant,
                                                  std::optional<std::uint64_t> if_revision) override;
  Result<> delete_tenant(const Op& op, const model::TenantName& name,
                         std::optional<std::uint64_t> if_revision) override;
  Result<model::Record<model::Tenant>> get_tenant(const Op& op, const model::TenantName& name) override;
  Result<service::Page<model::Tenant>> list_tenants(const Op& op, const service::ListQuery& query) override;

  Result<service::CreateOutcome> create_volume(const Op& op, const service::CreateVolume& request) override;
  Result<model::Record<model::Volume>> adopt_volume(const Op& op,
                                                    const service::AdoptVolume& request) override;
  Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Volume>> list_volumes(const Op& op, const service::ListQuery& query) override;
  Result<> remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) override;

  Result<model::Record<model::Snapshot>> take_snapshot(const Op& op,
                                                       const service::TakeSnapshot& request) override;
  Result<model::Record<model::Snapshot>> get_snapshot(const Op& op, const model::SnapshotId& id) override;
  Result<service::Page<model::Snapshot>> list_snapshots(const Op& op,
                                                        const service::ListQuery& query) override;
  Result<> remove_snapshot(const Op& op, const model::SnapshotId& id) override;

  Result<model::Record<model::Mount>> acquire_mount(const Op& op,
                                                    const service::AcquireMount& request) override;
  Result<model::Record<model::Mount>> update_mount(const Op& op,
                                                   const service::UpdateMount& request) override;
  Result<> release_mount(const Op& op, const service::ReleaseMount& request) override;
  Result<> forget_mount(const Op& op, const service::ForgetMount& request) override;
  Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Mount>> list_mounts(const Op& op, const service::ListQuery& query) override;

  Result<model::Record<model::Session>> open_session(const Op& op,
                                                     const service::OpenSession& request) override;
  Result<> renew_session(const Op& op, const model::NodeName& node, const std::string& session) override;
  Result<model::Record<model::Node>> get_node(const Op& op, const model::NodeName& name) override;
  Result<service::Page<model::Node>> list_nodes(const Op& op, const service::ListQuery& query) override;
  // Blocks until there is an answer and calls back on the caller's thread. A shorter wait than asked for
  // may be kept: never one that would outlast the Op. A node's work may be asked for at any volmaster, and
  // only the one that handed it out wants the result: both calls are for an object with one address.
  void next_task(const Op& op, const model::NodeName& node, Millis wait, TaskCallback callback) override;
  Result<> finish_task(const Op& op, const model::NodeName& node, const service::TaskResult& result) override;

  Result<std::vector<model::Operation>> list_operations(const Op& op) override;
  Result<model::Operation> get_operation(const Op& op, const std::string& id) override;
  Result<service::Health> health(const Op& op) override;

 private:
  explicit RestVolmaster(Exchange exchange) : exchange_(std::move(exchange)) {}

  const Exchange exchange_;
};

}  // namespace volplugin::client
