// SPDX-License-Identifier: Apache-2.0
// Model <-> JSON: the one definition that the REST API, its client, the store and volcli share.
// write(writer, x) appends; parse_x(value) reads strictly. A `revision` of 0 is not written.
#pragma once

#include "model/records.h"
#include "service/volmaster.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

#include <string>

namespace volplugin::wire {

// The document of `volcli tenant upload`: {"default-options": {...}, "filesystems": {...}}.
void write(JsonWriter& writer, const model::Tenant& tenant, std::uint64_t revision = 0);
Result<model::Tenant> parse_tenant(const JsonValue& value, const model::TenantName& name);

// {"tenant", "name", "options": {...}, "uid", "phase", ...}
void write(JsonWriter& writer, const model::Volume& volume, std::uint64_t revision = 0);
Result<model::Versioned<model::Volume>> parse_volume(const JsonValue& value);

void write(JsonWriter& writer, const model::Mount& mount, std::uint64_t revision = 0);
Result<model::Versioned<model::Mount>> parse_mount(const JsonValue& value);

void write(JsonWriter& writer, const model::Node& node, std::uint64_t revision = 0);
Result<model::Versioned<model::Node>> parse_node(const JsonValue& value);

void write(JsonWriter& writer, const model::Operation& operation);
Result<model::Operation> parse_operation(const JsonValue& value);

void write(JsonWriter& writer, const service::Task& task);
Result<service::Task> parse_task(const JsonValue& value);
void write(JsonWriter& writer, const service::TaskResult& result);
Result<service::TaskResult> parse_task_result(const JsonValue& value);

void write(JsonWriter& writer, const model::Use& use);
Result<std::vector<model::Use>> parse_uses(const JsonValue& value);

// Compact text of one value.
template <class... Args>
std::string to_text(const Args&... args) {
  JsonWriter writer;
  write(writer, args...);
  return writer.take();
}

}  // namespace volplugin::wire
