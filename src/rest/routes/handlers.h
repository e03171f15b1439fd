// SPDX-License-Identifier: Apache-2.0
// The handlers of the routes, one file per resource. What each does is in api/openapi.yaml.
#pragma once

#include "rest/call.h"

namespace volplugin::rest {

// tenants.cc
Result<http::Response> list_tenants(const Call& call);
Result<http::Response> get_tenant(const Call& call);
Result<http::Response> put_tenant(const Call& call);
Result<http::Response> delete_tenant(const Call& call);

// volumes.cc
Result<http::Response> list_volumes(const Call& call);
Result<http::Response> create_volume(const Call& call);
Result<http::Response> get_volume(const Call& call);
Result<http::Response> adopt_volume(const Call& call);
Result<http::Response> remove_volume(const Call& call);

// snapshots.cc
Result<http::Response> list_snapshots(const Call& call);
Result<http::Response> take_snapshot(const Call& call);
Result<http::Response> get_snapshot(const Call& call);
Result<http::Response> remove_snapshot(const Call& call);

// mounts.cc
Result<http::Response> list_mounts(const Call& call);
Result<http::Response> get_mount(const Call& call);
Result<http::Response> acquire_mount(const Call& call);
Result<http::Response> update_mount(const Call& call);
Result<http::Response> release_mount(const Call& call);

// nodes.cc
Result<http::Response> list_nodes(const Call& call);
Result<http::Response> get_node(const Call& call);
Result<http::Response> open_session(const Call& call);
Result<http::Response> renew_session(const Call& call);
void next_task(const Call& call, const Respond& respond);
Result<http::Response> finish_task(const Call& call);

// events.cc
void follow_events(const Call& call, const Respond& respond);

// server.cc
Result<http::Response> list_operations(const Call& call);
Result<http::Response> get_operation(const Call& call);
Result<http::Response> get_health(const Call& call);
Result<http::Response> get_version(const Call& call);

}  // namespace volplugin::rest
