// SPDX-License-Identifier: Apache-2.0
#include "dockerplugin/requests.h"

#include "json/reader.h"
#include "json/writer.h"

namespace volplugin::dockerplugin {
namespace {

void write(json::Writer& writer, const service::VolumeStatus& volume) {
  writer.begin_object().field("Name", volume.name).field("Mountpoint", volume.mount_point);
  if (volume.created_at != WallTime{}) writer.field("CreatedAt", format_rfc3339(volume.created_at));
  if (!volume.status.empty()) {
    writer.key("Status").begin_object();
    for (const auto& [key, value] : volume.status) writer.field(key, value);
    writer.end_object();
  }
  writer.end_object();
}

}  // namespace

Result<VolumeRequest> parse_request(std::string_view body) {
  if (body.empty())
    return make_error(Code::invalid_argument,
                      "the request has no body (the engine drops it when it retries); "
                      "nothing was done");
  auto object = TRY(json::Object::open(TRY(json::Value::parse(body, "request"))));
  VolumeRequest request;
  request.name = TRY(object.string("Name"));
  request.mount_id = TRY(object.string_or("ID", ""));
  if (const auto options = object.find("Opts")) request.options = TRY(options->as_string_map());
  return request;
}

std::string error_body(std::string_view error) {
  return json::Writer().begin_object().field("Err", error).end_object().take();
}

std::string activate_body() {
  json::Writer writer;
  writer.begin_object().key("Implements").begin_array().string("VolumeDriver").end_array().end_object();
  return writer.take();
}

std::string capabilities_body(std::string_view scope) {
  json::Writer writer;
  writer.begin_object().key("Capabilities").begin_object().field("Scope", scope).end_object().end_object();
  return writer.take();
}

std::string mountpoint_body(std::string_view path) {
  return json::Writer().begin_object().field("Err", "").field("Mountpoint", path).end_object().take();
}

std::string volume_body(const service::VolumeStatus& volume) {
  json::Writer writer;
  writer.begin_object().field("Err", "").key("Volume");
  write(writer, volume);
  return writer.end_object().take();
}

std::string volumes_body(const std::vector<service::VolumeStatus>& volumes) {
  json::Writer writer;
  writer.begin_object().field("Err", "").key("Volumes").begin_array();
  for (const auto& volume : volumes) write(writer, volume);
  return writer.end_array().end_object().take();
}

}  // namespace volplugin::dockerplugin
