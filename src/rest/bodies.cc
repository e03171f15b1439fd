// SPDX-License-Identifier: Apache-2.0
#include "rest/bodies.h"

#include "wire/records.h"

namespace volplugin::rest {
namespace {

Result<json::Value> parse_body(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return make_error(Code::invalid_argument, "the body is empty: send a JSON object");
  return json::Value::parse(body, "body");
}

Result<json::Object> parse_object(std::string_view body) {
  return json::Object::open(TRY(parse_body(body)));
}

Result<model::NodeName> node_of(json::Object& object) {
  return TRY_CTX(model::NodeTag::parse(TRY(object.string("node"))), "node");
}

Result<std::string> claim_of(json::Object& object) {
  return model::check_claim(TRY(object.string("claim")));
}

Result<model::Use> parse_use(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  auto id = TRY_CTX(model::MountIdTag::parse(TRY(object.string("id"))), "use.id");
  const WallTime since = TRY_CTX(parse_rfc3339(TRY(object.string("since"))), "use.since");
  TRY(object.finish());
  return model::Use{std::move(id), since};
}

Error disagrees(std::string_view key, std::string_view body, std::string_view path) {
  return make_error(Code::invalid_argument, fmt::format("{}: '{}' in the body, but '{}' in the path", key,
                                                        model::printable(body), model::printable(path)));
}

}  // namespace

Result<model::Tenant> parse_tenant_body(std::string_view body, const model::TenantName& name) {
  return wire::parse_tenant(TRY(parse_body(body)), name);
}

Result<service::CreateVolume> parse_create_body(std::string_view body) {
  auto object = TRY(parse_object(body));
  const std::string tenant = TRY(object.string("tenant"));
  service::CreateVolume request{TRY(model::parse_volume_id(tenant, TRY(object.string("name")))), {}, {}};
  if (const auto options = object.find("options")) request.options = TRY(options->as_string_map());
  if (object.find("node")) request.node = TRY(node_of(object));
  TRY(object.finish());
  return request;
}

Result<service::AdoptVolume> parse_adopt_body(std::string_view body, const model::VolumeId& volume) {
  auto object = TRY(parse_object(body));
  service::AdoptVolume request{volume, {}};
  if (const auto options = object.find("options")) request.options = TRY(options->as_string_map());
  if (const auto layout = object.find("layout"))
    request.layout = TRY_CTX(model::parse_layout(TRY(layout->as_string())), "layout");
  if (TRY(object.boolean_or("confirmed", false))) request.confirmed = service::Confirmed::yes;
  TRY(object.finish());
  return request;
}

Result<service::TakeSnapshot> parse_snapshot_body(std::string_view body) {
  auto object = TRY(parse_object(body));
  const std::string tenant = TRY(object.string("tenant"));
  service::TakeSnapshot request{TRY(model::parse_volume_id(tenant, TRY(object.string("volume"))))};
  if (const auto name = object.find("name"))
    request.name = TRY_CTX(model::SnapshotTag::parse(TRY(name->as_string())), "name");
  TRY(object.finish());
  return request;
}

Result<service::AcquireMount> parse_acquire_body(std::string_view body, const model::VolumeId& volume) {
  auto object = TRY(parse_object(body));
  auto node = TRY(node_of(object));
  std::string session = TRY(object.string("session"));
  std::string claim = TRY(claim_of(object));
  std::string mount_point = TRY(object.string("mount-point"));
  auto use = TRY(parse_use(TRY(object.get("use"))));
  const bool only_if_claimed = TRY(object.boolean_or("only-if-claimed", false));
  TRY(object.finish());
  return service::AcquireMount{volume,           std::move(node),        std::move(session),
                               std::move(claim), std::move(mount_point), std::move(use),
                               only_if_claimed};
}

Result<service::UpdateMount> parse_update_body(std::string_view body, const model::VolumeId& volume) {
  auto object = TRY(parse_object(body));
  service::UpdateMount request{volume, TRY(node_of(object)), TRY(claim_of(object))};
  request.phase = TRY_CTX(model::parse_mount_phase(TRY(object.string("phase"))), "phase");
  // volmaster's own word for a holder that is being cut off: none says it of itself.
  if (request.phase == model::MountPhase::fencing)
    return make_error(Code::invalid_argument,
                      "phase: 'fencing' is set by volmaster only; a node says mounted or unmounting");
  request.message = TRY(object.string_or("message", ""));
  request.uses = TRY_CTX(wire::parse_uses(TRY(object.get("uses"))), "uses");
  TRY(object.finish());
  return request;
}

Result<service::OpenSession> parse_session_body(std::string_view body, const model::NodeName& name) {
  auto object = TRY(parse_object(body));
  service::OpenSession request{TRY(wire::parse_node(TRY(object.get("node")))).value,
                               TRY(object.string("host"))};
  if (request.node.name != name) return disagrees("node.name", request.node.name.str(), name.str());
  constexpr auto kMaxTtl = static_cast<std::uint64_t>(service::OpenSession::kMaxTtl.count());
  request.ttl = Millis(TRY(TRY(object.get("ttl-ms")).as_uint(kMaxTtl)));
  TRY(object.finish());
  return request;
}

Result<Millis> parse_wait_body(std::string_view body) {
  auto object = TRY(parse_object(body));
  const auto value = TRY(object.get("wait-ms"));
  const Millis wait(TRY(value.as_uint(static_cast<std::uint64_t>(kMaxTaskWait.count()))));
  TRY(object.finish());
  return wait;
}

Result<service::TaskResult> parse_result_body(std::string_view body, std::string_view task) {
  auto result = TRY(wire::parse_task_result(TRY(parse_body(body))));
  if (result.id != task) return disagrees("id", result.id, task);
  return result;
}

}  // namespace volplugin::rest
