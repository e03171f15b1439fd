// SPDX-License-Identifier: Apache-2.0
#include "json/reader.h"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace volplugin::json {
namespace {

using Json = nlohmann::ordered_json;

const Json& as_json(const void* node) {
  return *static_cast<const Json*>(node);
}

// What a text looks like from outside its strings; of use only if it is valid.
struct Shape {
  int depth = 0;
  size_t keys = 0;
};

// The library parses any depth, but copying or printing a deep value overflows the stack: look first.
Shape shape_of(std::string_view text) {
  Shape shape;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      shape.depth = std::max(shape.depth, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ':') {
      ++shape.keys;
    }
  }
  return shape;
}

size_t count_keys(const Json& value) {
  size_t keys = value.is_object() ? value.size() : 0;
  for (const Json& part : value)
    if (part.is_structured()) keys += count_keys(part);
  return keys;
}

// The first key that an object has twice. The library silently keeps the last one, unless it is watched while
// it parses, which takes twice the time: so only when there is one.
class DuplicateKeys {
 public:
  bool operator()(int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key && !open_.back().insert(value.get<std::string>()).second &&
        duplicate.empty())
      duplicate = value.get<std::string>();
    return true;
  }
  std::string duplicate;

 private:
  std::vector<std::set<std::string>> open_;
};

std::string duplicate_in(std::string_view text) {
  DuplicateKeys keys;
  const Json again = Json::parse(text, std::ref(keys));
  return keys.duplicate;
}

std::string join(std::string_view path, std::string_view key) {
  std::string joined;
  joined.reserve(path.size() + 1 + key.size());
  if (!path.empty()) joined.append(path) += '.';
  return joined += key;
}

std::string printable_key(std::string_view key) {
  return Json(std::string(key.substr(0, 80))).dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

Result<Value> Value::parse(std::string_view text, std::string_view what) {
  const Shape shape = shape_of(text);
  if (shape.depth > kMaxDepth)
    return make_error(Code::invalid_argument,
                      fmt::format("{}: nested deeper than {} levels", what, kMaxDepth));
  try {
    auto document = std::make_shared<Json>(Json::parse(text));
    if (count_keys(*document) != shape.keys)
      return make_error(Code::invalid_argument, fmt::format("{}: the key {} is given twice", what,
                                                            printable_key(duplicate_in(text))));
    const void* root = document.get();
    return Value(std::move(document), root, "");
  } catch (const Json::parse_error& e) {
    return make_error(Code::invalid_argument,
                      fmt::format("{}: not valid JSON at byte {} of {}", what, e.byte, text.size()));
  } catch (const Json::exception& e) {
    return make_error(Code::invalid_argument, fmt::format("{}: not valid JSON: {}", what, e.what()));
  }
}

Error Value::error(std::string_view why) const {
  return make_error(Code::invalid_argument,
                    path_.empty() ? std::string(why) : fmt::format("{}: {}", path_, why));
}

Result<std::string> Value::as_string() const {
  const Json& json = as_json(node_);
  if (!json.is_string()) return error(fmt::format("must be a string, not {}", json.type_name()));
  return json.get<std::string>();
}

Result<bool> Value::as_bool() const {
  const Json& json = as_json(node_);
  if (!json.is_boolean()) return error(fmt::format("must be true or false, not {}", json.type_name()));
  return json.get<bool>();
}

Result<std::uint64_t> Value::as_uint(std::uint64_t max) const {
  const Json& json = as_json(node_);
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > max)
    return error(fmt::format("must be a whole number from 0 to {}", max));
  return json.get<std::uint64_t>();
}

Result<std::vector<Value>> Value::as_array() const {
  const Json& json = as_json(node_);
  if (!json.is_array()) return error(fmt::format("must be a list, not {}", json.type_name()));
  std::vector<Value> items;
  for (size_t i = 0; i < json.size(); ++i)
    items.push_back(Value(document_, &json[i], fmt::format("{}[{}]", path_, i)));
  return items;
}

Result<std::map<std::string, std::string>> Value::as_string_map() const {
  const Json& json = as_json(node_);
  if (!json.is_object()) return error(fmt::format("must be an object, not {}", json.type_name()));
  std::map<std::string, std::string> out;
  for (const auto& [key, item] : json.items()) {
    const Value value(document_, &item, join(path_, key));
    out.emplace(key, TRY(value.as_string()));
  }
  return out;
}

bool Value::is_null() const {
  return as_json(node_).is_null();
}
bool Value::is_object() const {
  return as_json(node_).is_object();
}

std::string Value::text(int indent) const {
  return as_json(node_).dump(indent == 0 ? -1 : indent, ' ', false, Json::error_handler_t::replace);
}

Result<Object> Object::open(const Value& value) {
  if (!value.is_object())
    return value.error(fmt::format("must be an object, not {}", as_json(value.node_).type_name()));
  return Object(value);
}

std::optional<Value> Object::find(std::string_view key) {
  asked_.emplace_back(key);
  const Json& json = as_json(value_.node_);
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  return Value(value_.document_, &*found, join(value_.path_, key));
}

Result<Value> Object::get(std::string_view key) {
  auto found = find(key);
  if (!found) return value_.error(fmt::format("the key \"{}\" is missing", key));
  return *found;
}

Result<std::string> Object::string(std::string_view key) {
  return TRY(get(key)).as_string();
}

Result<std::string> Object::string_or(std::string_view key, std::string_view fallback) {
  const auto found = find(key);
  return found ? found->as_string() : Result<std::string>(std::string(fallback));
}

Result<std::uint64_t> Object::uint(std::string_view key) {
  return TRY(get(key)).as_uint();
}

Result<std::uint64_t> Object::uint_or(std::string_view key, std::uint64_t fallback) {
  const auto found = find(key);
  return found ? found->as_uint() : Result<std::uint64_t>(fallback);
}

Result<bool> Object::boolean_or(std::string_view key, bool fallback) {
  const auto found = find(key);
  return found ? found->as_bool() : Result<bool>(fallback);
}

std::vector<std::string> Object::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, item] : as_json(value_.node_).items()) out.push_back(key);
  return out;
}

Result<> Object::finish() const {
  for (const auto& [key, item] : as_json(value_.node_).items())
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end())
      return value_.error(
          fmt::format("unknown key {}; the keys here are {}", printable_key(key), fmt::join(asked_, ", ")));
  return {};
}

}  // namespace volplugin::json
