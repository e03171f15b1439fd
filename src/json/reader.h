// SPDX-License-Identifier: Apache-2.0
// Reading JSON from outside: strict, bounded, with the place of every error as a path
// ("rate-limit.read-bps"). Nothing is coerced: 1.9 is not a whole number, "1" is not a number, a key given
// twice is refused.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::json {

inline constexpr int kMaxDepth = 64;

// One JSON value inside a parsed document. Copies share the document.
class Value {
 public:
  // Errors: invalid_argument with `what` and the position: syntax, trailing text, depth above 64,
  // duplicate keys, invalid UTF-8.
  static Result<Value> parse(std::string_view text, std::string_view what);

  Result<std::string> as_string() const;
  Result<bool> as_bool() const;
  Result<std::uint64_t> as_uint(std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) const;
  Result<std::vector<Value>> as_array() const;
  Result<std::map<std::string, std::string>> as_string_map() const;
  bool is_null() const;
  bool is_object() const;
  const std::string& path() const { return path_; }
  Error error(std::string_view why) const;  // invalid_argument "<path>: <why>"
  std::string text(int indent) const;       // the value as JSON again

 private:
  friend class Object;
  Value(std::shared_ptr<const void> document, const void* node, std::string path)
      : document_(std::move(document)), node_(node), path_(std::move(path)) {}
  std::shared_ptr<const void> document_;
  const void* node_;
  std::string path_;
};

// An object read key by key; finish() refuses the keys nobody asked for.
class Object {
 public:
  static Result<Object> open(const Value& value);

  // The member, or nullopt if absent or null.
  std::optional<Value> find(std::string_view key);
  // The member; invalid_argument when it is absent.
  Result<Value> get(std::string_view key);

  Result<std::string> string(std::string_view key);
  Result<std::string> string_or(std::string_view key, std::string_view fallback);
  Result<std::uint64_t> uint(std::string_view key);
  Result<std::uint64_t> uint_or(std::string_view key, std::uint64_t fallback);
  Result<bool> boolean_or(std::string_view key, bool fallback);

  std::vector<std::string> keys() const;
  // Errors: invalid_argument naming the unknown key and the ones that were asked for.
  Result<> finish() const;

 private:
  explicit Object(Value value) : value_(std::move(value)) { asked_.reserve(kUsualKeys); }
  static constexpr size_t kUsualKeys = 16;
  Value value_;
  std::vector<std::string> asked_;
};

}  // namespace volplugin::json
