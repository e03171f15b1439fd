// SPDX-License-Identifier: Apache-2.0
#include "client/answers.h"
#include "client/rest_volmaster.h"
#include "wire/records.h"

namespace volplugin::client {
namespace {

constexpr std::string_view kSnapshots = "/v1/snapshots";

std::string take_body(const service::TakeSnapshot& request) {
  json::Writer writer;
  writer.begin_object().field("tenant", request.volume.tenant.str());
  writer.field("volume", request.volume.volume.str());
  if (request.name) writer.field("name", request.name->str());
  writer.end_object();
  return writer.take();
}

std::string snapshot_target(const model::SnapshotId& id) {
  return volume_target(kSnapshots, id.volume) + "/" + http::encode(id.name.str());
}

}  // namespace

Result<model::Record<model::Snapshot>> RestVolmaster::take_snapshot(const Op& op,
                                                                    const service::TakeSnapshot& request) {
  Question question{"POST", std::string(kSnapshots), take_body(request), {}};
  question.repeatable = request.name.has_value();  // it is known again by the id of the request
  return exchange_.read(op, question, record_by<model::Snapshot>(wire::parse_snapshot));
}

Result<model::Record<model::Snapshot>> RestVolmaster::get_snapshot(const Op& op,
                                                                   const model::SnapshotId& id) {
  return exchange_.read(op, {.target = snapshot_target(id)},
                        record_by<model::Snapshot>(wire::parse_snapshot));
}

Result<service::Page<model::Snapshot>> RestVolmaster::list_snapshots(const Op& op,
                                                                     const service::ListQuery& query) {
  return exchange_.read(op, {.target = list_target(kSnapshots, query)},
                        page_by<model::Snapshot>(wire::parse_snapshot));
}

Result<> RestVolmaster::remove_snapshot(const Op& op, const model::SnapshotId& id) {
  Question question{"DELETE", snapshot_target(id), "", {}};
  question.repeatable = false;  // the name may have gone to a new snapshot
  return exchange_.tell(op, question);
}

}  // namespace volplugin::client
