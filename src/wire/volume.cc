// SPDX-License-Identifier: Apache-2.0
#include "model/size.h"
#include "wire/options.h"
#include "wire/records.h"

namespace volplugin::wire {
namespace {

Result<model::VolumeId> parse_id(json::Object& object) {
  const std::string tenant = TRY(object.string("tenant"));
  const std::string name = TRY(object.string("name"));
  return tenant.empty() ? model::parse_flat_volume_id(name) : model::parse_volume_id(tenant, name);
}

Result<WallTime> time_or_zero(json::Object& object, std::string_view key) {
  const std::string text = TRY(object.string_or(key, ""));
  if (text.empty()) return WallTime{};
  return parse_rfc3339(text);
}

}  // namespace

void write(json::Writer& writer, const model::Volume& volume, std::uint64_t revision) {
  writer.begin_object();
  writer.field("tenant", volume.id.tenant.str()).field("name", volume.id.volume.str());
  writer.key("options");
  write_options(writer, model::as_option_set(volume.options));
  writer.field("uid", volume.uid).field("phase", to_string(volume.phase));
  writer.field("size-bytes", volume.size.count);
  writer.field("filesystem-command", volume.filesystem_command);
  writer.field("filesystem-type", volume.filesystem_type);
  // Programs of before there were layouts read the others.
  if (volume.layout != model::Layout::data) writer.field("layout", to_string(volume.layout));
  if (volume.node) writer.field("node", volume.node->str());
  writer.field("operation", volume.operation);
  if (!volume.worker.empty()) writer.field("worker", volume.worker);
  if (!volume.message.empty()) writer.field("message", volume.message);
  writer.field("created-at", format_rfc3339(volume.created_at));
  writer.field("changed-at", format_rfc3339(volume.changed_at));
  if (revision != 0) writer.field("revision", revision);
  writer.end_object();
}

Result<model::Versioned<model::Volume>> parse_volume(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  auto id = TRY(parse_id(object));
  const auto set = TRY(parse_options(TRY(object.get("options"))));
  model::Volume volume{std::move(id), TRY(object.string("uid")), TRY(model::resolve_options(set, {}, {}))};
  volume.phase = TRY(model::parse_phase(TRY(object.string("phase"))));
  volume.size = Bytes{TRY(object.uint("size-bytes"))};
  volume.filesystem_command = TRY(object.string("filesystem-command"));
  volume.filesystem_type = TRY(object.string("filesystem-type"));
  volume.layout = TRY_CTX(model::parse_layout(TRY(object.string_or("layout", "data"))), "layout");
  const std::string node = TRY(object.string_or("node", ""));
  if (!node.empty()) volume.node = TRY(model::NodeTag::parse(node));
  volume.operation = TRY(object.string("operation"));
  volume.worker = TRY(object.string_or("worker", ""));
  volume.message = TRY(object.string_or("message", ""));
  volume.created_at = TRY(time_or_zero(object, "created-at"));
  volume.changed_at = TRY(time_or_zero(object, "changed-at"));
  const std::uint64_t revision = TRY(object.uint_or("revision", 0));
  TRY(object.finish());
  return model::Versioned<model::Volume>{std::move(volume), revision};
}

void write(json::Writer& writer, const model::Use& use) {
  writer.begin_object().field("id", use.id.str()).field("since", format_rfc3339(use.since)).end_object();
}

Result<std::vector<model::Use>> parse_uses(const json::Value& value) {
  std::vector<model::Use> uses;
  for (const auto& item : TRY(value.as_array())) {
    auto object = TRY(json::Object::open(item));
    auto id = TRY(model::MountIdTag::parse(TRY(object.string("id"))));
    uses.push_back({std::move(id), TRY(time_or_zero(object, "since"))});
    TRY(object.finish());
  }
  return uses;
}

void write(json::Writer& writer, const model::Mount& mount, std::uint64_t revision) {
  writer.begin_object();
  writer.field("tenant", mount.volume.tenant.str()).field("name", mount.volume.volume.str());
  writer.field("uid", mount.volume_uid).field("node", mount.node.str());
  writer.field("session", mount.session).field("claim", mount.claim);
  writer.field("fencing", mount.fencing).field("phase", to_string(mount.phase));
  writer.field("mount-point", mount.mount_point);
  if (!mount.message.empty()) writer.field("message", mount.message);
  writer.key("uses").begin_array();
  for (const auto& use : mount.uses) write(writer, use);
  writer.end_array().field("since", format_rfc3339(mount.since));
  if (revision != 0) writer.field("stale", mount.stale).field("revision", revision);
  writer.end_object();
}

Result<model::Versioned<model::Mount>> parse_mount(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  auto id = TRY(parse_id(object));
  std::string uid = TRY(object.string("uid"));
  model::Mount mount{std::move(id), std::move(uid), TRY(model::NodeTag::parse(TRY(object.string("node"))))};
  mount.session = TRY(object.string_or("session", ""));
  mount.claim = TRY(object.string_or("claim", ""));
  mount.fencing = TRY(object.uint("fencing"));
  mount.phase = TRY(model::parse_mount_phase(TRY(object.string("phase"))));
  mount.mount_point = TRY(object.string("mount-point"));
  mount.message = TRY(object.string_or("message", ""));
  mount.uses = TRY(parse_uses(TRY(object.get("uses"))));
  mount.since = TRY(time_or_zero(object, "since"));
  mount.stale = TRY(object.boolean_or("stale", false));
  const std::uint64_t revision = TRY(object.uint_or("revision", 0));
  TRY(object.finish());
  return model::Versioned<model::Mount>{std::move(mount), revision};
}

}  // namespace volplugin::wire
