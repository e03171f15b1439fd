// SPDX-License-Identifier: Apache-2.0
// Names and tags of logical volumes. Pure. The rules are those of lvm(8), "VALID NAMES", and of LVM's own
// checks up to version 2.03.31.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace volplugin::backend {

// Where images lie: "vg" (thick: each takes its space at once) or "vg/thinpool" (thin).
struct LvmPool {
  std::string group;
  std::string thin_pool;  // empty: thick

  bool thin() const { return !thin_pool.empty(); }
};

// Errors: invalid_argument naming the rule.
Result<LvmPool> parse_lvm_pool(const std::string& pool);

// The logical volume that holds an image. It has the image's name where LVM allows that; where LVM reserves
// the name, or it is too long for the kernel, it has a name made of the image's ("vp-" and a UUID).
struct LvmName {
  std::string volume;  // in the volume group
  bool encoded;        // the image's name is in a tag then
  std::string mapped;  // the kernel's name of the device: "vg-tenant.volume"
};

// Errors: invalid_argument: a character that LVM has no place for.
Result<LvmName> lvm_name_of(const LvmPool& pool, const std::string& image);

// What marks a logical volume as ours, whose it is, and its image's name when that is encoded:
// "<owner>.uid=<uid>", "<owner>.image=<image>". A volume with the bare tag "<owner>" was given to us by the
// administrator; its uid is the owner's word.
class LvmTags {
 public:
  explicit LvmTags(std::string owner) : owner_(std::move(owner)) {}

  // Errors: invalid_argument: empty, too long, or characters that no tag can have.
  Result<std::string> uid_tag(const std::string& uid) const;
  std::string image_tag(const std::string& image) const { return owner_ + ".image=" + image; }
  // From the list of a report: "a,b,c". Empty: not ours.
  std::string uid_of(std::string_view tags) const;
  // The image's name, if a tag has it, else that of the volume.
  std::string image_of(std::string_view tags, const std::string& volume) const;

 private:
  std::string owner_;
};

}  // namespace volplugin::backend
