// SPDX-License-Identifier: Apache-2.0
#include "rest/answer.h"
#include "rest/bodies.h"
#include "rest/headers.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {
namespace {

Result<bool> flag_in(const http::Query& query, const std::string& key) {
  const auto found = query.find(key);
  if (found == query.end()) return false;
  if (found->second != "true" && found->second != "false")
    return make_error(Code::invalid_argument, fmt::format("query {}: '{}' is neither true nor false", key,
                                                          model::printable(found->second)));
  return found->second == "true";
}

}  // namespace

Result<http::Response> list_mounts(const Call& call) {
  return page(TRY(call.master.list_mounts(call.op, TRY(list_query(call.query)))));
}

// Never 304: `stale` changes without a new revision.
Result<http::Response> get_mount(const Call& call) {
  return record(200, TRY(call.master.get_mount(call.op, TRY(volume_in_path(call)))));
}

Result<http::Response> acquire_mount(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  return record(200, TRY(call.master.acquire_mount(call.op, TRY(parse_acquire_body(call.request.body, id)))));
}

Result<http::Response> update_mount(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  return record(200, TRY(call.master.update_mount(call.op, TRY(parse_update_body(call.request.body, id)))));
}

// With a node: the holder gives it back. Without: a person drops the record.
Result<http::Response> release_mount(const Call& call) {
  const auto id = TRY(volume_in_path(call));
  const bool confirmed = TRY(flag_in(call.query, "confirmed"));
  const bool fenced = TRY(flag_in(call.query, "fenced"));
  std::optional<std::string> claim;
  if (const auto said = call.query.find("claim"); said != call.query.end())
    claim = TRY_CTX(model::check_claim(said->second), "query claim");
  if (!call.query.contains("node")) {
    if (call.query.contains("fenced"))
      return make_error(Code::invalid_argument, "query fenced: only together with node");
    TRY(call.master.forget_mount(
        call.op, {id, std::move(claim), confirmed ? service::Confirmed::yes : service::Confirmed::no}));
    return no_content();
  }
  const auto node = TRY_CTX(model::NodeTag::parse(call.query.at("node")), "query node");
  if (call.query.contains("confirmed"))
    return make_error(Code::invalid_argument, "query confirmed: not together with node");
  if (!claim)
    return make_error(Code::invalid_argument, "query claim: is missing; the node says under which it holds");
  TRY(call.master.release_mount(call.op, {id, node, std::move(*claim), fenced}));
  return no_content();
}

}  // namespace volplugin::rest
