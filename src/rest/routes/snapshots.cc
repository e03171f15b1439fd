// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"
#include "rest/bodies.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {

Result<http::Response> list_snapshots(const Call& call) {
  return page(TRY(call.master.list_snapshots(call.op, TRY(list_query(call.query)))));
}

Result<http::Response> take_snapshot(const Call& call) {
  return record(201, TRY(call.master.take_snapshot(call.op, TRY(parse_snapshot_body(call.request.body)))));
}

Result<http::Response> get_snapshot(const Call& call) {
  return record_unless_known(call.request,
                             TRY(call.master.get_snapshot(call.op, TRY(snapshot_in_path(call)))));
}

Result<http::Response> remove_snapshot(const Call& call) {
  TRY(call.master.remove_snapshot(call.op, TRY(snapshot_in_path(call))));
  return no_content();
}

}  // namespace volplugin::rest
