// SPDX-License-Identifier: Apache-2.0
#include "client/answers.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

namespace volplugin::client {
namespace {

constexpr std::string_view kMounts = "/v1/mounts";

std::string acquire_body(const service::AcquireMount& request) {
  json::Writer writer;
  writer.begin_object().field("node", request.node.str()).field("mount-point", request.mount_point);
  writer.key("use");
  wire::write(writer, request.use);
  writer.end_object();
  return writer.take();
}

std::string update_body(const service::UpdateMount& request) {
  json::Writer writer;
  writer.begin_object().field("node", request.node.str()).field("phase", to_string(request.phase));
  writer.field("message", request.message).key("uses").begin_array();
  for (const auto& use : request.uses) wire::write(writer, use);
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace

Result<model::Record<model::Mount>> RestVolmaster::acquire_mount(const Op& op,
                                                                 const service::AcquireMount& request) {
  return exchange_.read(op, {"PUT", volume_target(kMounts, request.volume), acquire_body(request), {}},
                        record_by<model::Mount>(wire::parse_mount));
}

Result<model::Record<model::Mount>> RestVolmaster::update_mount(const Op& op,
                                                                const service::UpdateMount& request) {
  return exchange_.read(op, {"PATCH", volume_target(kMounts, request.volume), update_body(request), {}},
                        record_by<model::Mount>(wire::parse_mount));
}

Result<> RestVolmaster::release_mount(const Op& op, const model::VolumeId& id, const model::NodeName& node) {
  const std::string target = fmt::format("{}?node={}", volume_target(kMounts, id), http::encode(node.str()));
  return exchange_.tell(op, {"DELETE", target, "", {}});
}

Result<> RestVolmaster::forget_mount(const Op& op, const model::VolumeId& id, service::Confirmed confirmed) {
  const std::string_view query = confirmed == service::Confirmed::yes ? "?confirmed=true" : "";
  return exchange_.tell(op, {"DELETE", fmt::format("{}{}", volume_target(kMounts, id), query), "", {}});
}

Result<model::Record<model::Mount>> RestVolmaster::get_mount(const Op& op, const model::VolumeId& id) {
  return exchange_.read(op, {.target = volume_target(kMounts, id)},
                        record_by<model::Mount>(wire::parse_mount));
}

Result<service::Page<model::Mount>> RestVolmaster::list_mounts(const Op& op,
                                                               const service::ListQuery& query) {
  return exchange_.read(op, {.target = list_target(kMounts, query)},
                        page_by<model::Mount>(wire::parse_mount));
}

}  // namespace volplugin::client
