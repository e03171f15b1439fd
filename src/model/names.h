// SPDX-License-Identifier: Apache-2.0
// Names, parsed once into types of their own and never used as a path or argument before that.
// Rules: architecture of the product, docs/glossary.md. All functions are pure.
#pragma once

#include "base/result.h"
#include "base/strong_id.h"

#include <string>
#include <string_view>

namespace volplugin::model {

// [A-Za-z0-9][A-Za-z0-9_-]{0,62}: no dot, so that tenant.volume parses back.
struct TenantTag {
  static Result<StrongId<TenantTag>> parse(std::string_view text);
  static StrongId<TenantTag> none();  // empty: of a program that knows no tenants
};
using TenantName = StrongId<TenantTag>;

// [A-Za-z0-9][A-Za-z0-9_.-]{0,126}
struct VolumeTag {
  static Result<StrongId<VolumeTag>> parse(std::string_view text);
};
using VolumeName = StrongId<VolumeTag>;

// [A-Za-z0-9][A-Za-z0-9_.-]{0,252}: a host label, usually the host name.
struct NodeTag {
  static Result<StrongId<NodeTag>> parse(std::string_view text);
};
using NodeName = StrongId<NodeTag>;

// What Docker calls ID in Mount and Unmount: [A-Za-z0-9][A-Za-z0-9_.-]{0,127}; dockerd sends 64 hex digits.
struct MountIdTag {
  static Result<StrongId<MountIdTag>> parse(std::string_view text);
};
using MountId = StrongId<MountIdTag>;

// [A-Za-z0-9][A-Za-z0-9_.-]{0,126}
struct SnapshotTag {
  static Result<StrongId<SnapshotTag>> parse(std::string_view text);
};
using SnapshotName = StrongId<SnapshotTag>;

struct VolumeId {
  TenantName tenant;
  VolumeName volume;

  std::string name() const { return join('/'); }   // what Docker and people use
  std::string image() const { return join('.'); }  // what pools and paths use
  auto operator<=>(const VolumeId&) const = default;

 private:
  std::string join(char between) const {
    return tenant.str().empty() ? volume.str() : tenant.str() + between + volume.str();
  }
};

// "tenant/volume". Errors: invalid_argument naming the rule.
Result<VolumeId> parse_volume_id(std::string_view text);
Result<VolumeId> parse_volume_id(std::string_view tenant, std::string_view volume);
// "volume", without a tenant (lvmvd).
Result<VolumeId> parse_flat_volume_id(std::string_view text);

struct SnapshotId {
  VolumeId volume;
  SnapshotName name;

  std::string text() const { return volume.name() + '/' + name.str(); }  // "tenant/volume/snapshot"
  auto operator<=>(const SnapshotId&) const = default;
};

// "tenant/volume/snapshot". Errors: invalid_argument naming the rule.
Result<SnapshotId> parse_snapshot_id(std::string_view text);

// The name of a filesystem in a policy: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}.
Result<> check_filesystem_name(std::string_view text, std::string_view field);

// `text` made safe to show in a message: control and non-ASCII bytes as \xNN, cut at 80 characters.
std::string printable(std::string_view text);

// A node's word for holding a volume: letters, digits and -, at most 64. Empty: of a mount from before there
// were claims. Errors: invalid_argument.
Result<std::string> check_claim(const std::string& text);

}  // namespace volplugin::model
