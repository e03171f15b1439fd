// SPDX-License-Identifier: Apache-2.0
#include "wire/options.h"

#include "model/duration.h"
#include "model/names.h"
#include "model/size.h"

#include <limits>

namespace volplugin::wire {
namespace {

template <class Parse>
auto parse_text(const json::Value& value, Parse parse) -> decltype(parse(std::string())) {
  const std::string text = TRY(value.as_string());
  auto parsed = parse(text);
  if (!parsed) return value.error(parsed.error().message);
  return parsed;
}

Result<> read_snapshot(const json::Value& value, model::OptionSet& set) {
  auto object = TRY(json::Object::open(value));
  if (const auto frequency = object.find("frequency"))
    set.snapshot_frequency = TRY(parse_text(*frequency, model::parse_duration));
  if (const auto keep = object.find("keep"))
    set.snapshot_keep =
        static_cast<std::uint32_t>(TRY(keep->as_uint(std::numeric_limits<std::uint32_t>::max())));
  return object.finish();
}

Result<> read_rate_limit(const json::Value& value, model::OptionSet& set) {
  auto object = TRY(json::Object::open(value));
  const auto read = [&](std::string_view key, std::optional<std::uint64_t>& field) -> Result<> {
    if (const auto found = object.find(key)) field = TRY(found->as_uint());
    return {};
  };
  TRY(read("write-iops", set.write_iops));
  TRY(read("read-iops", set.read_iops));
  TRY(read("write-bps", set.write_bps));
  TRY(read("read-bps", set.read_bps));
  return object.finish();
}

Result<> read_word(json::Object& object, std::string_view key, std::optional<std::string>& field) {
  const auto found = object.find(key);
  if (!found) return {};
  auto text = TRY(found->as_string());
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f) return found->error("contains a blank, control or non-ASCII character");
  if (text.size() > 255) return found->error("is longer than 255 characters");
  if (!text.empty()) field = std::move(text);
  return {};
}

}  // namespace

void write_options(json::Writer& writer, const model::OptionSet& options) {
  writer.begin_object();
  if (options.backend) writer.field("backend", *options.backend);
  if (options.pool) writer.field("pool", *options.pool);
  if (options.size) writer.field("size", model::format_size(*options.size));
  if (options.snapshots) writer.field("snapshots", *options.snapshots);
  if (options.snapshot_frequency || options.snapshot_keep) {
    writer.key("snapshot").begin_object();
    if (options.snapshot_frequency)
      writer.field("frequency", model::format_duration(*options.snapshot_frequency));
    if (options.snapshot_keep) writer.field("keep", *options.snapshot_keep);
    writer.end_object();
  }
  if (options.filesystem) writer.field("filesystem", *options.filesystem);
  if (options.ephemeral) writer.field("ephemeral", *options.ephemeral);
  if (options.mount_wait) writer.field("mount-wait", model::format_duration(*options.mount_wait));
  if (options.takeover) writer.field("takeover", model::to_string(*options.takeover));
  if (options.write_iops || options.read_iops || options.write_bps || options.read_bps) {
    writer.key("rate-limit").begin_object();
    if (options.write_iops) writer.field("write-iops", *options.write_iops);
    if (options.read_iops) writer.field("read-iops", *options.read_iops);
    if (options.write_bps) writer.field("write-bps", *options.write_bps);
    if (options.read_bps) writer.field("read-bps", *options.read_bps);
    writer.end_object();
  }
  writer.end_object();
}

Result<model::OptionSet> parse_options(const json::Value& value) {
  auto object = TRY(json::Object::open(value));
  model::OptionSet set;
  TRY(read_word(object, "backend", set.backend));
  TRY(read_word(object, "pool", set.pool));
  if (const auto size = object.find("size"))
    set.size = TRY(parse_text(
        *size, [](const std::string& text) { return model::parse_size(text, model::BareNumber::refused); }));
  if (const auto found = object.find("snapshots")) set.snapshots = TRY(found->as_bool());
  if (const auto found = object.find("snapshot")) TRY(read_snapshot(*found, set));
  TRY(read_word(object, "filesystem", set.filesystem));
  if (const auto found = object.find("ephemeral")) set.ephemeral = TRY(found->as_bool());
  if (const auto found = object.find("mount-wait"))
    set.mount_wait = TRY(parse_text(*found, model::parse_mount_wait));
  if (const auto found = object.find("takeover"))
    set.takeover = TRY(parse_text(*found, model::parse_takeover));
  if (const auto found = object.find("rate-limit")) TRY(read_rate_limit(*found, set));
  TRY(object.finish());
  return set;
}

}  // namespace volplugin::wire
