// SPDX-License-Identifier: Apache-2.0
#include "client/answers.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

namespace volplugin::client {
namespace {

constexpr std::string_view kVolumes = "/v1/volumes";

std::string create_body(const service::CreateVolume& request) {
  json::Writer writer;
  writer.begin_object();
  writer.field("tenant", request.id.tenant.str()).field("name", request.id.volume.str());
  writer.key("options").begin_object();
  for (const auto& [key, value] : request.options) writer.field(key, value);
  writer.end_object();
  if (request.node) writer.field("node", request.node->str());
  writer.end_object();
  return writer.take();
}

std::string adopt_body(const service::AdoptVolume& request) {
  json::Writer writer;
  writer.begin_object();
  writer.key("options").begin_object();
  for (const auto& [key, value] : request.options) writer.field(key, value);
  writer.end_object();
  if (request.layout) writer.field("layout", to_string(*request.layout));
  writer.field("confirmed", request.confirmed == service::Confirmed::yes).end_object();
  return writer.take();
}

std::string_view word_of(service::RemoveMode mode) {
  switch (mode) {
    case service::RemoveMode::delete_data:
      return "delete-data";
    case service::RemoveMode::if_ephemeral:
      return "if-ephemeral";
    case service::RemoveMode::forget_record:
      return "forget-record";
  }
  return "";
}

bool may_have_happened(const Result<>& outcome) {
  return !outcome && outcome.error().effect == Effect::unknown;
}

}  // namespace

Result<service::CreateOutcome> RestVolmaster::create_volume(const Op& op,
                                                            const service::CreateVolume& request) {
  Question question{"POST", std::string(kVolumes), create_body(request), {}};
  question.repeatable = true;  // a volume with these options is success, and what is half made is made anew
  const Answer answer = TRY(exchange_.ask(op, question));
  auto volume = TRY(exchange_.understood(question, answer, record_by<model::Volume>(wire::parse_volume)));
  return service::CreateOutcome{std::move(volume), answer.status == 201};
}

Result<model::Record<model::Volume>> RestVolmaster::adopt_volume(const Op& op,
                                                                 const service::AdoptVolume& request) {
  Question question{"POST", volume_target(kVolumes, request.id) + "/adoption", adopt_body(request), {}};
  question.repeatable = false;  // the volume that the first one made would be in the way
  return exchange_.read(op, question, record_by<model::Volume>(wire::parse_volume));
}

Result<model::Record<model::Volume>> RestVolmaster::get_volume(const Op& op, const model::VolumeId& id) {
  return exchange_.read(op, {.target = volume_target(kVolumes, id)},
                        record_by<model::Volume>(wire::parse_volume));
}

Result<service::Page<model::Volume>> RestVolmaster::list_volumes(const Op& op,
                                                                 const service::ListQuery& query) {
  return exchange_.read(op, {.target = list_target(kVolumes, query)},
                        page_by<model::Volume>(wire::parse_volume));
}

// The request names a volume, and the name may have gone to a new volume when it is repeated: so it is
// repeated only while the same volume is there. That there is none any more is what was asked for.
Result<> RestVolmaster::remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) {
  const std::string target = fmt::format("{}?mode={}", volume_target(kVolumes, id), word_of(mode));
  Question question{"DELETE", target, "", {}};
  question.repeatable = false;
  // Who forces something looks for himself what came of it.
  if (exchange_.masters() == 1 || mode == service::RemoveMode::forget_record)
    return exchange_.tell(op, question);
  const auto meant = get_volume(op, id);
  auto removed = exchange_.tell(op, question);
  for (size_t i = 1; i < exchange_.masters() && may_have_happened(removed) && meant; ++i) {
    const auto left = get_volume(op, id);
    if (!left && left.error().code != Code::not_found) break;
    if (!left || (*left)->value.uid != (*meant)->value.uid) return {};
    removed = exchange_.tell(op, question);
    if (!removed) removed.error().effect = Effect::unknown;  // what the first one does is still open
  }
  return removed;
}

}  // namespace volplugin::client
