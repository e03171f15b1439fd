// SPDX-License-Identifier: Apache-2.0
// What is about the server as a whole: operations, health, version.
#include "rest/answer.h"
#include "rest/routes/handlers.h"

namespace volplugin::rest {

Result<http::Response> list_operations(const Call& call) {
  const auto operations = TRY(call.master.list_operations(call.op));
  json::Writer writer;
  writer.begin_object().key("items").begin_array();
  for (const auto& operation : operations) wire::write(writer, operation);
  writer.end_array().end_object();
  return json(200, writer.take());
}

Result<http::Response> get_operation(const Call& call) {
  return json(200, wire::to_text(TRY(call.master.get_operation(call.op, call.params["operation"]))));
}

Result<http::Response> get_health(const Call& call) {
  const auto health = TRY(call.master.health(call.op));
  json::Writer writer;
  writer.begin_object().field("ok", health.ok).field("store", health.store);
  writer.field("version", health.version).end_object();
  return json(health.ok ? 200 : 503, writer.take());
}

Result<http::Response> get_version(const Call& call) {
  json::Writer writer;
  writer.begin_object().field("version", call.version).field("api", "v1").end_object();
  return json(200, writer.take());
}

}  // namespace volplugin::rest
