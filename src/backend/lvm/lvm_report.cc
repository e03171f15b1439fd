// SPDX-License-Identifier: Apache-2.0
#include "backend/lvm/lvm_report.h"

#include "json/reader.h"

#include <charconv>

namespace volplugin::backend {

const std::string_view kVolumeColumns =
    "lv_name,vg_uuid,lv_uuid,lv_size,lv_tags,segtype,pool_lv,origin,lv_device_open,lv_health_status,"
    "vg_extent_size,data_percent,metadata_percent";
const std::string_view kGroupColumns = "vg_name,vg_size,vg_free,vg_extent_size,vg_missing_pv_count";

namespace {

// A value as text, whether it is reported as text or as a number. Absent or null: empty.
Result<std::string> text(json::Object& row, std::string_view name) {
  const auto value = row.find(name);
  if (!value) return std::string();
  if (auto text = value->as_string()) return text;
  return value->text(0);
}

template <class Number>
Result<Number> number(json::Object& row, std::string_view name) {
  const std::string written = TRY(text(row, name));
  if (written.empty()) return Number{};
  Number value{};
  const char* end = written.data() + written.size();
  const auto read = std::from_chars(written.data(), end, value);
  if (read.ec == std::errc() && read.ptr == end) return value;
  return make_error(Code::corrupt, fmt::format("{} is '{}', not a number", name, written));
}

Result<Bytes> bytes(json::Object& row, std::string_view name) {
  return Bytes{TRY(number<std::uint64_t>(row, name))};
}

std::string without_hyphens(std::string text) {
  std::erase(text, '-');
  return text;
}

Result<LvmVolume> parse_volume(json::Object& row) {
  LvmVolume volume;
  volume.name = TRY(row.string("lv_name"));
  volume.uuid = without_hyphens(TRY(row.string("vg_uuid")) + TRY(row.string("lv_uuid")));
  volume.size = TRY(bytes(row, "lv_size"));
  volume.tags = TRY(text(row, "lv_tags"));
  volume.type = TRY(text(row, "segtype"));
  volume.thin_pool = TRY(text(row, "pool_lv"));
  volume.origin = TRY(text(row, "origin"));
  const std::string open = TRY(text(row, "lv_device_open"));
  volume.open = open == "open" || open == "1";
  volume.health = TRY(text(row, "lv_health_status"));
  volume.extent_size = TRY(bytes(row, "vg_extent_size"));
  volume.data_percent = TRY(number<double>(row, "data_percent"));
  volume.metadata_percent = TRY(number<double>(row, "metadata_percent"));
  return volume;
}

Result<LvmGroup> parse_group(json::Object& row) {
  LvmGroup group;
  group.name = TRY(row.string("vg_name"));
  group.size = TRY(bytes(row, "vg_size"));
  group.free = TRY(bytes(row, "vg_free"));
  group.extent_size = TRY(bytes(row, "vg_extent_size"));
  group.missing_disks = TRY(number<std::uint64_t>(row, "vg_missing_pv_count"));
  return group;
}

// {"report": [{"<kind>": [row, ...]}, ...]}
template <class Row>
Result<std::vector<Row>> read_rows(std::string_view json, std::string_view kind,
                                   Result<Row> (*parse)(json::Object&)) {
  std::vector<Row> rows;
  auto document = TRY(json::Object::open(TRY(json::Value::parse(json, "report"))));
  for (const auto& report : TRY(TRY(document.get("report")).as_array())) {
    auto object = TRY(json::Object::open(report));
    for (const auto& item : TRY(TRY(object.get(kind)).as_array())) {
      auto row = TRY(json::Object::open(item));
      rows.push_back(TRY_CTX(parse(row), "{}", item.path()));
    }
  }
  return rows;
}

template <class Row>
Result<std::vector<Row>> parse_report(std::string_view json, std::string_view kind,
                                      Result<Row> (*parse)(json::Object&)) {
  auto rows = read_rows<Row>(json, kind, parse);
  if (rows) return rows;
  Error error = std::move(rows).error();
  error.code = Code::corrupt;
  return std::move(error).with_context("reading the report of LVM");
}

}  // namespace

Result<std::vector<LvmVolume>> parse_volume_report(std::string_view json) {
  return parse_report<LvmVolume>(json, "lv", parse_volume);
}

Result<std::vector<LvmGroup>> parse_group_report(std::string_view json) {
  return parse_report<LvmGroup>(json, "vg", parse_group);
}

}  // namespace volplugin::backend
