// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/snapshot_name.h"

#include <algorithm>

#include <fmt/format.h>

namespace volplugin::backend {
namespace {

constexpr size_t kMaxName = 127;
constexpr size_t kUidSize = 36;  // of a UUID

bool is_uuid(std::string_view text) {
  if (text.size() != kUidSize) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
}

}  // namespace

Result<> check_snapshot_words(const std::string& name, const std::string& uid) {
  if (!is_name(name))
    return make_error(
        Code::invalid_argument,
        fmt::format("snapshot name '{}': must be 1 to {} letters, digits, '_', '.' or '-'", name, kMaxName));
  if (!is_uuid(uid))
    return make_error(Code::invalid_argument,
                      fmt::format("snapshot uid '{}' is no UUID in small letters", uid));
  return {};
}

std::string snapshot_name(const SnapshotKey& key) {
  return key.name + "." + key.uid;
}

std::optional<SnapshotWords> parse_snapshot_name(std::string_view text) {
  if (text.size() < kUidSize + 2) return std::nullopt;
  const std::string_view uid = text.substr(text.size() - kUidSize);
  const std::string_view name = text.substr(0, text.size() - kUidSize - 1);
  if (text[name.size()] != '.' || !is_uuid(uid) || !is_name(name)) return std::nullopt;
  return SnapshotWords{std::string(name), std::string(uid)};
}

}  // namespace volplugin::backend
