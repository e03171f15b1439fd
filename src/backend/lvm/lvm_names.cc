// SPDX-License-Identifier: Apache-2.0
#include "backend/lvm/lvm_names.h"

#include "os/uuid.h"

#include <algorithm>
#include <array>
#include <optional>

namespace volplugin::backend {
namespace {

constexpr size_t kMaxName = 127;   // of a group, a volume and a mapped device (DM_NAME_LEN less the NUL)
constexpr size_t kMaxUid = 256;    // a tag may have 1024 characters
constexpr size_t kMaxImage = 255;  // as with every backend
constexpr std::string_view kPrefix = "vp-";

constexpr std::array<std::string_view, 2> kReservedPrefixes{"pvmove", "snapshot"};
constexpr std::array<std::string_view, 18> kReservedParts{
    "_cdata",   "_cmeta",  "_corig", "_cpool", "_cvol",  "_imeta", "_iorig",   "_mimage", "_mlog",
    "_pmspare", "_rimage", "_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig", "_vpool"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-' || c == '+';
}

bool is_name(std::string_view text, size_t longest) {
  return !text.empty() && text.size() <= longest && text[0] != '-' && text != "." && text != ".." &&
         std::ranges::all_of(text, is_name_character);
}

bool is_reserved(std::string_view name) {
  return std::ranges::any_of(kReservedPrefixes, [&](auto prefix) { return name.starts_with(prefix); }) ||
         std::ranges::any_of(kReservedParts, [&](auto part) { return name.find(part) != name.npos; });
}

// device-mapper writes "vg-lv" and doubles the hyphens inside the names.
std::string mapped_name(std::string_view group, std::string_view volume) {
  std::string mapped;
  const auto append = [&](std::string_view part) {
    for (const char c : part) mapped.append(c == '-' ? 2 : 1, c);
  };
  append(group);
  mapped += '-';
  append(volume);
  return mapped;
}

// The value of the first tag that begins with `key`, from "a,b,c".
std::optional<std::string> value_of(std::string_view tags, std::string_view key) {
  while (!tags.empty()) {
    const size_t comma = std::min(tags.find(','), tags.size());
    const std::string_view tag = tags.substr(0, comma);
    if (tag.starts_with(key)) return std::string(tag.substr(key.size()));
    tags.remove_prefix(std::min(comma + 1, tags.size()));
  }
  return std::nullopt;
}

}  // namespace

Result<LvmPool> parse_lvm_pool(const std::string& pool) {
  const size_t slash = pool.find('/');
  LvmPool parsed{pool.substr(0, slash), slash == pool.npos ? "" : pool.substr(slash + 1)};
  const bool good =
      is_name(parsed.group, kMaxName) && (slash == pool.npos || is_name(parsed.thin_pool, kMaxName));
  if (good) return parsed;
  return make_error(
      Code::invalid_argument,
      fmt::format("pool name '{}': a pool of this backend is a volume group, or group/thinpool; "
                  "both have 1 to {} letters, digits, '_', '.', '+' or '-' and begin with no '-'",
                  pool, kMaxName));
}

Result<LvmName> lvm_name_of(const LvmPool& pool, const std::string& image) {
  if (!is_name(image, kMaxImage))
    return make_error(Code::invalid_argument,
                      fmt::format("image name '{}': 1 to {} letters, digits, '_', '.', '+' or '-', the first "
                                  "no '-'",
                                  image, kMaxImage));
  LvmName name{image, false, mapped_name(pool.group, image)};
  if (name.volume.size() <= kMaxName && name.mapped.size() <= kMaxName && !is_reserved(image) &&
      !image.starts_with(kPrefix))
    return name;
  name.volume = std::string(kPrefix) + os::uuid_of(image);
  name.encoded = true;
  name.mapped = mapped_name(pool.group, name.volume);
  if (name.mapped.size() <= kMaxName) return name;
  return make_error(Code::invalid_argument,
                    fmt::format("volume group '{}': the name is too long for volumes with names like '{}'",
                                pool.group, image));
}

Result<std::string> LvmTags::uid_tag(const std::string& uid) const {
  if (uid.empty() || uid.size() > kMaxUid || !std::ranges::all_of(uid, is_name_character))
    return make_error(
        Code::invalid_argument,
        fmt::format("the uid of a volume has 1 to {} letters, digits, '_', '.', '+' or '-'", kMaxUid));
  // The tag that an administrator gives a volume of somebody else's.
  if (uid == owner_) return owner_;
  return fmt::format("{}.uid={}", owner_, uid);
}

std::string LvmTags::uid_of(std::string_view tags) const {
  if (auto uid = value_of(tags, owner_ + ".uid=")) return *uid;
  const std::string framed = fmt::format(",{},", tags);
  return framed.find("," + owner_ + ",") != framed.npos ? owner_ : "";
}

std::string LvmTags::image_of(std::string_view tags, const std::string& volume) const {
  return value_of(tags, owner_ + ".image=").value_or(volume);
}

}  // namespace volplugin::backend
