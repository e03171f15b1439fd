// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

namespace volplugin::model {
namespace {

constexpr size_t kMaxTenant = 63;
constexpr size_t kMaxVolume = 127;
constexpr size_t kMaxSnapshot = 127;
constexpr size_t kMaxNode = 253;  // a host name's limit, RFC 1035
constexpr size_t kMaxMountId = 128;
constexpr size_t kMaxClaim = 64;
constexpr size_t kMaxFilesystem = 63;
constexpr size_t kMaxShown = 80;

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct Rule {
  std::string_view what;   // "tenant name"
  std::string_view extra;  // characters allowed besides letters and digits, not at the start
  size_t max;
};

Result<> check(std::string_view text, const Rule& rule) {
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::invalid_argument,
                      fmt::format("{} '{}' {}: it must start with a letter or digit, contain only letters, "
                                  "digits and '{}', and have 1 to {} characters",
                                  rule.what, printable(text), why, rule.extra, rule.max));
  };
  if (text.empty()) return refuse("is empty");
  if (text.size() > rule.max) return refuse(fmt::format("has {} characters", text.size()));
  if (!is_alnum(text.front())) return refuse(fmt::format("starts with '{}'", printable(text.substr(0, 1))));
  for (const char c : text)
    if (!is_alnum(c) && !rule.extra.contains(c))
      return refuse(fmt::format("contains '{}'", printable(std::string_view(&c, 1))));
  return {};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxShown)) {
    if (c >= 0x20 && c < 0x7f)
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (text.size() > kMaxShown) out += "...";
  return out;
}

Result<TenantName> TenantTag::parse(std::string_view text) {
  TRY(check(text, {"tenant name", "_-", kMaxTenant}));
  return TenantName(std::string(text));
}

TenantName TenantTag::none() {
  return TenantName("");
}

Result<VolumeName> VolumeTag::parse(std::string_view text) {
  TRY(check(text, {"volume name", "_.-", kMaxVolume}));
  return VolumeName(std::string(text));
}

Result<SnapshotName> SnapshotTag::parse(std::string_view text) {
  TRY(check(text, {"snapshot name", "_.-", kMaxSnapshot}));
  return SnapshotName(std::string(text));
}

Result<NodeName> NodeTag::parse(std::string_view text) {
  TRY(check(text, {"node name", "_.-", kMaxNode}));
  return NodeName(std::string(text));
}

Result<MountId> MountIdTag::parse(std::string_view text) {
  TRY(check(text, {"mount ID", "_.-", kMaxMountId}));
  return MountId(std::string(text));
}

Result<> check_filesystem_name(std::string_view text, std::string_view field) {
  TRY_CTX(check(text, {"filesystem name", "_.-", kMaxFilesystem}), "{}", field);
  return {};
}

Result<std::string> check_claim(const std::string& text) {
  if (!text.empty()) TRY(check(text, {"claim", "-", kMaxClaim}));
  return text;
}

Result<VolumeId> parse_volume_id(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos || text.find('/', slash + 1) != text.npos)
    return make_error(
        Code::invalid_argument,
        fmt::format("volume '{}' is not of the form tenant/volume with exactly one slash", printable(text)));
  return parse_volume_id(text.substr(0, slash), text.substr(slash + 1));
}

Result<VolumeId> parse_volume_id(std::string_view tenant, std::string_view volume) {
  auto parsed_tenant = TRY(TenantTag::parse(tenant));
  return VolumeId{std::move(parsed_tenant), TRY(VolumeTag::parse(volume))};
}

Result<SnapshotId> parse_snapshot_id(std::string_view text) {
  const auto first = text.find('/');
  const auto second = first == text.npos ? text.npos : text.find('/', first + 1);
  if (second == text.npos || text.find('/', second + 1) != text.npos)
    return make_error(Code::invalid_argument,
                      fmt::format("snapshot '{}' is not of the form tenant/volume/snapshot with exactly two "
                                  "slashes",
                                  printable(text)));
  auto volume = TRY(parse_volume_id(text.substr(0, second)));
  return SnapshotId{std::move(volume), TRY(SnapshotTag::parse(text.substr(second + 1)))};
}

Result<VolumeId> parse_flat_volume_id(std::string_view text) {
  return VolumeId{TenantTag::none(), TRY(VolumeTag::parse(text))};
}

}  // namespace volplugin::model
