// SPDX-License-Identifier: Apache-2.0
#include "client/answers.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

namespace volplugin::client {
namespace {

constexpr std::string_view kMounts = "/v1/mounts";

std::string acquire_body(const service::AcquireMount& request) {
  json::Writer writer;
  writer.begin_object().field("node", request.node.str()).field("session", request.session);
  writer.field("claim", request.claim).field("mount-point", request.mount_point);
  writer.key("use");
  wire::write(writer, request.use);
  writer.field("only-if-claimed", request.only_if_claimed).end_object();
  return writer.take();
}

std::string update_body(const service::UpdateMount& request) {
  json::Writer writer;
  writer.begin_object().field("node", request.node.str()).field("claim", request.claim);
  writer.field("phase", to_string(request.phase));
  writer.field("message", request.message).key("uses").begin_array();
  for (const auto& use : request.uses) wire::write(writer, use);
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace

Result<model::Record<model::Mount>> RestVolmaster::acquire_mount(const Op& op,
                                                                 const service::AcquireMount& request) {
  Question question{"PUT", volume_target(kMounts, request.volume), acquire_body(request), {}};
  question.repeatable = true;  // for the same node and use, the record stays as the first one made it
  return exchange_.read(op, question, record_by<model::Mount>(wire::parse_mount));
}

Result<model::Record<model::Mount>> RestVolmaster::update_mount(const Op& op,
                                                                const service::UpdateMount& request) {
  Question question{"PATCH", volume_target(kMounts, request.volume), update_body(request), {}};
  question.repeatable = true;  // of this claim only, whose node sends one after the other
  return exchange_.read(op, question, record_by<model::Mount>(wire::parse_mount));
}

Result<> RestVolmaster::release_mount(const Op& op, const service::ReleaseMount& request) {
  const std::string target = fmt::format("{}?node={}&claim={}{}", volume_target(kMounts, request.volume),
                                         http::encode(request.node.str()), http::encode(request.claim),
                                         request.fenced ? "&fenced=true" : "");
  Question question{"DELETE", target, "", {}};
  question.repeatable = true;  // of this claim only; a later one of the same node is another
  return exchange_.tell(op, question);
}

Result<> RestVolmaster::forget_mount(const Op& op, const service::ForgetMount& request) {
  std::string target = fmt::format("{}?confirmed={}", volume_target(kMounts, request.volume),
                                   request.confirmed == service::Confirmed::yes);
  if (request.claim) target += "&claim=" + http::encode(*request.claim);
  Question question{"DELETE", target, "", {}};
  question.repeatable =
      request.claim.has_value();  // without one, the record of a mount made since would go too
  return exchange_.tell(op, question);
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
