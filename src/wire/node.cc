// SPDX-License-Identifier: Apache-2.0
#include "wire/records.h"

namespace volplugin::wire {
namespace {

constexpr const char* kReady = "ready";
constexpr const char* kLost = "lost";

}  // namespace

void write(json::Writer& writer, const model::Session& session, std::uint64_t revision) {
  writer.begin_object().field("node", session.node.str()).field("id", session.id);
  writer.field("host", session.host).field("boot-id", session.boot_id).field("ttl-ms", session.ttl.count());
  writer.field("since", format_rfc3339(session.since));
  if (revision != 0) writer.field("revision", revision);
  writer.end_object();
}

Result<model::Versioned<model::Session>> parse_session(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  model::Session session{TRY(model::NodeTag::parse(TRY(object.string("node")))), TRY(object.string("id")),
                         TRY(object.string("host")), TRY(object.string("boot-id"))};
  constexpr auto kMaxTtl = static_cast<std::uint64_t>(service::OpenSession::kMaxTtl.count());
  session.ttl = Millis(TRY(TRY(object.get("ttl-ms")).as_uint(kMaxTtl)));
  session.since = TRY(parse_rfc3339(TRY(object.string("since"))));
  const std::uint64_t revision = TRY(object.uint_or("revision", 0));
  TRY(object.finish());
  return model::Versioned<model::Session>{std::move(session), revision};
}

void write(json::Writer& writer, const model::Worker& worker) {
  writer.begin_object().field("name", worker.name).field("since", format_rfc3339(worker.since)).end_object();
}

Result<model::Versioned<model::Worker>> parse_worker(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  model::Worker worker{TRY(object.string("name")), TRY(parse_rfc3339(TRY(object.string("since"))))};
  TRY(object.finish());
  return model::Versioned<model::Worker>{std::move(worker), 0};
}

void write(json::Writer& writer, const model::Node& node, std::uint64_t revision) {
  writer.begin_object().field("name", node.name.str()).field("version", node.version);
  writer.key("backends").begin_array();
  for (const auto& backend : node.backends) writer.string(backend);
  writer.end_array().field("boot-id", node.boot_id).field("started-at", format_rfc3339(node.started_at));
  writer.key("fenced").begin_array();
  for (const auto& volume : node.fenced) writer.string(volume);
  writer.end_array();
  if (revision != 0)
    writer.field("state", node.lost ? kLost : kReady)
        .field("connected", node.connected)
        .field("revision", revision);
  writer.end_object();
}

Result<model::Versioned<model::Node>> parse_node(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  model::Node node{TRY(model::NodeTag::parse(TRY(object.string("name"))))};
  node.version = TRY(object.string_or("version", ""));
  for (const auto& backend : TRY(TRY(object.get("backends")).as_array()))
    node.backends.push_back(TRY(backend.as_string()));
  node.boot_id = TRY(object.string_or("boot-id", ""));
  node.started_at = TRY(parse_rfc3339(TRY(object.string("started-at"))));
  if (const auto fenced = object.find("fenced"))
    for (const auto& volume : TRY(fenced->as_array())) node.fenced.push_back(TRY(volume.as_string()));
  node.lost = TRY(object.string_or("state", kReady)) == kLost;
  node.connected = TRY(object.boolean_or("connected", false));
  const std::uint64_t revision = TRY(object.uint_or("revision", 0));
  TRY(object.finish());
  return model::Versioned<model::Node>{std::move(node), revision};
}

void write(json::Writer& writer, const model::Operation& operation) {
  writer.begin_object().field("id", operation.id).field("kind", operation.kind);
  writer.field("volume", operation.volume).field("state", operation.state);
  if (!operation.message.empty()) writer.field("message", operation.message);
  writer.field("since", format_rfc3339(operation.since)).end_object();
}

Result<model::Operation> parse_operation(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  model::Operation operation;
  operation.id = TRY(object.string("id"));
  operation.kind = TRY(object.string("kind"));
  operation.volume = TRY(object.string("volume"));
  operation.state = TRY(object.string("state"));
  operation.message = TRY(object.string_or("message", ""));
  operation.since = TRY(parse_rfc3339(TRY(object.string("since"))));
  TRY(object.finish());
  return operation;
}

void write(json::Writer& writer, const service::Task& task) {
  writer.begin_object().field("id", task.id);
  writer.field("kind", task.kind == service::TaskKind::make ? "make" : "remove");
  writer.field("remaining-ms", task.remaining.count());
  writer.key("volume");
  write(writer, task.volume);
  writer.end_object();
}

Result<service::Task> parse_task(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  const std::string id = TRY(object.string("id"));
  const std::string kind = TRY(object.string("kind"));
  if (kind != "make" && kind != "remove") return value.error(fmt::format("unknown task kind '{}'", kind));
  const auto remaining = TRY(object.uint("remaining-ms"));
  auto volume = TRY(parse_volume(TRY(object.get("volume"))));
  TRY(object.finish());
  return service::Task{id, kind == "make" ? service::TaskKind::make : service::TaskKind::remove,
                       std::move(volume.value), Millis(remaining)};
}

void write(json::Writer& writer, const service::TaskResult& result) {
  writer.begin_object().field("id", result.id);
  if (result.error) {
    writer.key("error").begin_object().field("code", to_string(result.error->code));
    writer.field("message", result.error->message)
        .field("effect-unknown", result.error->effect == Effect::unknown);
    writer.end_object();
  } else {
    writer.field("size-bytes", result.made.size.count).field("filesystem-type", result.made.filesystem_type);
  }
  writer.end_object();
}

Result<service::TaskResult> parse_task_result(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  service::TaskResult result;
  result.id = TRY(object.string("id"));
  result.made.size = Bytes{TRY(object.uint_or("size-bytes", 0))};
  result.made.filesystem_type = TRY(object.string_or("filesystem-type", ""));
  if (const auto found = object.find("error")) {
    auto error = TRY(json::Object::open(*found));
    const Code code = code_from_string(TRY(error.string("code")));
    std::string message = TRY(error.string("message"));
    const bool unknown = TRY(error.boolean_or("effect-unknown", false));
    TRY(error.finish());
    result.error = make_error(code, std::move(message), unknown ? Effect::unknown : Effect::none);
  }
  TRY(object.finish());
  return result;
}

}  // namespace volplugin::wire
