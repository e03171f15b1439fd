// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"
#include "rest/bodies.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {
namespace {

Result<service::Confirmed> confirmed_in(const http::Query& query) {
  const auto given = query.find("confirmed");
  if (given == query.end() || given->second == "false") return service::Confirmed::no;
  if (given->second == "true") return service::Confirmed::yes;
  return make_error(Code::invalid_argument, fmt::format("query confirmed '{}': must be true or false",
                                                        model::printable(given->second)));
}

}  // namespace

Result<http::Response> list_mounts(const Call& call) {
  return page(TRY(call.master.list_mounts(call.op, TRY(list_query(call.query)))));
}

Result<http::Response> get_mount(const Call& call) {
  return record_unless_known(call.request, TRY(call.master.get_mount(call.op, TRY(volume_in_path(call)))));
}

Result<http::Response> acquire_mount(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  return record(200, TRY(call.master.acquire_mount(call.op, TRY(parse_acquire_body(call.request.body, id)))));
}

Result<http::Response> update_mount(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  return record(200, TRY(call.master.update_mount(call.op, TRY(parse_update_body(call.request.body, id)))));
}

// With a node: the holder gives it back. Without: a person drops the record, whoever holds it.
Result<http::Response> release_mount(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  const auto confirmed = TRY(confirmed_in(call.query));
  const auto node = call.query.find("node");
  if (node == call.query.end()) {
    TRY(call.master.forget_mount(call.op, id, confirmed));
  } else if (call.query.contains("confirmed")) {
    return make_error(Code::invalid_argument, "query confirmed: not together with node");
  } else {
    const auto name = TRY_CTX(model::NodeTag::parse(node->second), "query node");
    TRY(call.master.release_mount(call.op, id, name));
  }
  return no_content();
}

}  // namespace volplugin::rest
