// SPDX-License-Identifier: Apache-2.0
#include "wire/records.h"

namespace volplugin::wire {

void write(json::Writer& writer, const model::Snapshot& snapshot, std::uint64_t revision) {
  const model::VolumeId& volume = snapshot.id.volume;
  writer.begin_object().field("tenant", volume.tenant.str()).field("volume", volume.volume.str());
  writer.field("name", snapshot.id.name.str()).field("uid", snapshot.uid);
  writer.field("volume-uid", snapshot.volume_uid).field("size-bytes", snapshot.size.count);
  writer.field("phase", to_string(snapshot.phase)).field("operation", snapshot.operation);
  if (!snapshot.worker.empty()) writer.field("worker", snapshot.worker);
  if (!snapshot.message.empty()) writer.field("message", snapshot.message);
  writer.field("taken-at", format_rfc3339(snapshot.taken_at));
  writer.field("changed-at", format_rfc3339(snapshot.changed_at));
  if (revision != 0) writer.field("revision", revision);
  writer.end_object();
}

Result<model::Versioned<model::Snapshot>> parse_snapshot(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  const std::string tenant = TRY(object.string("tenant"));
  auto volume = TRY(model::parse_volume_id(tenant, TRY(object.string("volume"))));
  auto name = TRY(model::SnapshotTag::parse(TRY(object.string("name"))));
  std::string uid = TRY(object.string("uid"));
  model::Snapshot snapshot{{std::move(volume), std::move(name)},
                           std::move(uid),
                           TRY(object.string("volume-uid")),
                           Bytes{TRY(object.uint("size-bytes"))},
                           TRY(model::parse_snapshot_phase(TRY(object.string("phase")))),
                           TRY(object.string("operation"))};
  snapshot.worker = TRY(object.string_or("worker", ""));
  snapshot.message = TRY(object.string_or("message", ""));
  snapshot.taken_at = TRY(parse_rfc3339(TRY(object.string("taken-at"))));
  snapshot.changed_at = TRY(parse_rfc3339(TRY(object.string("changed-at"))));
  const std::uint64_t revision = TRY(object.uint_or("revision", 0));
  TRY(object.finish());
  return model::Versioned<model::Snapshot>{std::move(snapshot), revision};
}

}  // namespace volplugin::wire
