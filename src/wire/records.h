// SPDX-License-Identifier: Apache-2.0
// Model <-> JSON: the one definition that the REST API, its client, the store and volcli share.
// write(writer, x) appends; parse_x(value) reads strictly. A `revision` of 0 is not written.
#pragma once

#include "json/reader.h"
#include "json/writer.h"
#include "model/records.h"
#include "service/events.h"
#include "service/volmaster.h"

#include <string>

namespace volplugin::wire {

// The document of `volcli tenant upload`: {"default-options": {...}, "filesystems": {...}}.
void write(json::Writer& writer, const model::Tenant& tenant, std::uint64_t revision = 0);
Result<model::Tenant> parse_tenant(const json::Value& value, const model::TenantName& name);

// {"tenant", "name", "options": {...}, "uid", "phase", ...}
void write(json::Writer& writer, const model::Volume& volume, std::uint64_t revision = 0);
Result<model::Versioned<model::Volume>> parse_volume(const json::Value& value);

void write(json::Writer& writer, const model::Mount& mount, std::uint64_t revision = 0);
Result<model::Versioned<model::Mount>> parse_mount(const json::Value& value);

void write(json::Writer& writer, const model::Snapshot& snapshot, std::uint64_t revision = 0);
Result<model::Versioned<model::Snapshot>> parse_snapshot(const json::Value& value);

void write(json::Writer& writer, const model::Session& session, std::uint64_t revision = 0);
Result<model::Versioned<model::Session>> parse_session(const json::Value& value);

void write(json::Writer& writer, const model::Worker& worker);
Result<model::Versioned<model::Worker>> parse_worker(const json::Value& value);

void write(json::Writer& writer, const model::Node& node, std::uint64_t revision = 0);
Result<model::Versioned<model::Node>> parse_node(const json::Value& value);

void write(json::Writer& writer, const model::Operation& operation);
Result<model::Operation> parse_operation(const json::Value& value);

// {"revision", "kind", "name", "change", "record": {...}}
void write(json::Writer& writer, const service::Event& event);

void write(json::Writer& writer, const service::Task& task);
Result<service::Task> parse_task(const json::Value& value);
void write(json::Writer& writer, const service::TaskResult& result);
Result<service::TaskResult> parse_task_result(const json::Value& value);

void write(json::Writer& writer, const model::Use& use);
Result<std::vector<model::Use>> parse_uses(const json::Value& value);

// Compact text of one value.
template <class... Args>
std::string to_text(const Args&... args) {
  json::Writer writer;
  write(writer, args...);
  return writer.take();
}

}  // namespace volplugin::wire
