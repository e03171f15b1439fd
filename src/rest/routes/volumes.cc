// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"
#include "rest/bodies.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {
namespace {

Result<service::RemoveMode> remove_mode(const http::Query& query) {
  const auto given = query.find("mode");
  if (given == query.end() || given->second == "delete-data") return service::RemoveMode::delete_data;
  if (given->second == "if-ephemeral") return service::RemoveMode::if_ephemeral;
  if (given->second == "forget-record") return service::RemoveMode::forget_record;
  return make_error(Code::invalid_argument,
                    fmt::format("query mode '{}': must be delete-data, if-ephemeral or forget-record",
                                model::printable(given->second)));
}

}  // namespace

Result<http::Response> list_volumes(const Call& call) {
  return page(TRY(call.master.list_volumes(call.op, TRY(list_query(call.query)))));
}

Result<http::Response> create_volume(const Call& call) {
  const auto outcome = TRY(call.master.create_volume(call.op, TRY(parse_create_body(call.request.body))));
  return record(outcome.created ? 201 : 200, outcome.volume);
}

Result<http::Response> get_volume(const Call& call) {
  return record_unless_known(call.request, TRY(call.master.get_volume(call.op, TRY(volume_in_path(call)))));
}

Result<http::Response> adopt_volume(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  return record(201, TRY(call.master.adopt_volume(call.op, TRY(parse_adopt_body(call.request.body, id)))));
}

Result<http::Response> remove_volume(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  TRY(call.master.remove_volume(call.op, id, TRY(remove_mode(call.query))));
  return no_content();
}

}  // namespace volplugin::rest
