// SPDX-License-Identifier: Apache-2.0
#include "wire/records.h"

namespace volplugin::wire {
namespace {

struct RecordWriter {
  json::Writer& writer;
  std::uint64_t revision;

  void operator()(std::monostate) const {}
  void operator()(const auto& record) const {
    writer.key("record");
    write(writer, record, revision);
  }
};

}  // namespace

void write(json::Writer& writer, const service::Event& event) {
  writer.begin_object().field("revision", event.revision).field("kind", event.kind).field("name", event.name);
  writer.field("change", event.change == service::Change::put ? "put" : "erase");
  std::visit(RecordWriter{writer, event.revision}, event.record);
  writer.end_object();
}

}  // namespace volplugin::wire
