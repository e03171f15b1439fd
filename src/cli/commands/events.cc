// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

#include <charconv>

namespace volplugin::cli {
namespace {

Result<std::optional<std::uint64_t>> revision_asked_for(const Line& line) {
  if (!line.has("after")) return std::nullopt;
  const std::string text = line.value("after");
  std::uint64_t revision = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (failed != std::errc() || end != text.data() + text.size())
    return make_error(Code::invalid_argument,
                      fmt::format("--after: '{}' is not a revision, a whole number", model::printable(text)));
  return revision;
}

// What a person wants to know of the record besides its name.
Result<std::string> state_of(json::Object& event) {
  const auto record = event.find("record");
  if (!record) return std::string();
  auto object = TRY(json::Object::open(*record));
  std::string text = TRY(object.string_or("phase", ""));
  // A session's and a node's own name is the event's.
  if (const auto node = object.find("node"); node && !text.empty()) text += " " + TRY(node->as_string());
  return text;
}

Result<std::string> line_of(std::string_view kind, std::string_view data) {
  auto event = TRY(json::Object::open(TRY(json::Value::parse(data, "event"))));
  const auto revision = TRY(event.uint("revision"));
  if (kind == "reset") return fmt::format("{} reset", revision);
  const std::string state = TRY(state_of(event));
  return fmt::format(
      "{} {} {} {}{}{}", revision, model::printable(kind), model::printable(TRY(event.string("change"))),
      model::printable(TRY(event.string("name"))), state.empty() ? "" : " ", model::printable(state));
}

}  // namespace

Result<> events(Context& context) {
  const auto format = context.asked_format().value_or(Format::table);
  if (format == Format::name)
    return make_error(Code::invalid_argument, "--output: events are lines (table) or json, not name");
  Result<> readable;
  const auto take = [&](std::string_view kind, std::string_view data) {
    if (format == Format::json) return context.print_line(data);
    const auto line = line_of(kind, data);
    if (line) return context.print_line(*line);
    readable =
        make_error(Code::corrupt, "volmaster told an event that cannot be read: " + line.error().message);
    return false;
  };
  TRY(context.follow({TRY(revision_asked_for(context.line())), take}));
  return readable;
}

}  // namespace volplugin::cli
