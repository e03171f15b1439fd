// SPDX-License-Identifier: Apache-2.0
#include "rest/routes.h"

#include "rest/routes/handlers.h"

namespace volplugin::rest {

// clang-format off
const std::vector<RouteInfo>& routes() {
  static const std::vector<RouteInfo> table{
      {"GET", "/v1/tenants", {"after", "limit"}, Kind::quick, answered_by<list_tenants>},
      {"GET", "/v1/tenants/{tenant}", {}, Kind::quick, answered_by<get_tenant>},
      {"PUT", "/v1/tenants/{tenant}", {}, Kind::quick, answered_by<put_tenant>},
      {"DELETE", "/v1/tenants/{tenant}", {}, Kind::quick, answered_by<delete_tenant>},

      {"GET", "/v1/volumes", {"after", "limit", "tenant"}, Kind::quick, answered_by<list_volumes>},
      {"POST", "/v1/volumes", {}, Kind::storage, answered_by<create_volume>},
      {"GET", "/v1/volumes/{tenant}/{volume}", {}, Kind::quick, answered_by<get_volume>},
      {"POST", "/v1/volumes/{tenant}/{volume}/adoption", {}, Kind::storage, answered_by<adopt_volume>},
      {"DELETE", "/v1/volumes/{tenant}/{volume}", {"mode"}, Kind::storage, answered_by<remove_volume>},

      {"GET", "/v1/snapshots", {"after", "limit", "tenant", "volume"}, Kind::quick, answered_by<list_snapshots>},
      {"POST", "/v1/snapshots", {}, Kind::storage, answered_by<take_snapshot>},
      {"GET", "/v1/snapshots/{tenant}/{volume}/{snapshot}", {}, Kind::quick, answered_by<get_snapshot>},
      {"DELETE", "/v1/snapshots/{tenant}/{volume}/{snapshot}", {}, Kind::storage, answered_by<remove_snapshot>},

      {"GET", "/v1/mounts", {"after", "limit", "node", "tenant"}, Kind::quick, answered_by<list_mounts>},
      {"GET", "/v1/mounts/{tenant}/{volume}", {}, Kind::quick, answered_by<get_mount>},
      {"PUT", "/v1/mounts/{tenant}/{volume}", {}, Kind::quick, answered_by<acquire_mount>},
      {"PATCH", "/v1/mounts/{tenant}/{volume}", {}, Kind::quick, answered_by<update_mount>},
      {"DELETE", "/v1/mounts/{tenant}/{volume}", {"claim", "confirmed", "fenced", "node"}, Kind::quick, answered_by<release_mount>},

      {"GET", "/v1/nodes", {"after", "limit"}, Kind::quick, answered_by<list_nodes>},
      {"GET", "/v1/nodes/{node}", {}, Kind::quick, answered_by<get_node>},
      {"PUT", "/v1/nodes/{node}/session", {}, Kind::quick, answered_by<open_session>},
      {"POST", "/v1/nodes/{node}/session/{session}/renewal", {}, Kind::quick, answered_by<renew_session>},
      // before {task}: the first route that fits is taken, and no task is called "next"
      {"POST", "/v1/nodes/{node}/tasks/next", {}, Kind::quick, next_task},
      {"POST", "/v1/nodes/{node}/tasks/{task}", {}, Kind::quick, answered_by<finish_task>},

      {"GET", "/v1/events", {"after"}, Kind::quick, follow_events},
      {"GET", "/v1/operations", {}, Kind::quick, answered_by<list_operations>},
      {"GET", "/v1/operations/{operation}", {}, Kind::quick, answered_by<get_operation>},
      {"GET", "/v1/health", {}, Kind::quick, answered_by<get_health>},
      {"GET", "/v1/version", {}, Kind::quick, answered_by<get_version>},
  };
  return table;
}
// clang-format on

}  // namespace volplugin::rest
