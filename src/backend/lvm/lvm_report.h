// SPDX-License-Identifier: Apache-2.0
// What `lvs` and `vgs` report (--reportformat json, --units b, --nosuffix). Pure. Values may be strings
// (LVM 2.03) or numbers (json_std of later ones); members nobody asked for are ignored.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace volplugin::backend {

struct LvmVolume {
  std::string name;
  std::string uuid;  // "<VG's uuid><LV's uuid>" without hyphens, as in the kernel's device uuid
  Bytes size;
  std::string tags;             // "a,b,c"
  std::string type;             // "linear", "thin", "thin-pool", ...
  std::string thin_pool;        // of a thin volume
  std::string origin;           // of a snapshot
  bool open = false;            // some process or mount has the device open
  std::string health;           // "" when well; "partial" when a disk is missing
  Bytes extent_size;            // of its group
  double data_percent = 0;      // of a thin volume or pool: how much is written
  double metadata_percent = 0;  // of a thin pool
};

struct LvmGroup {
  std::string name;
  Bytes size;
  Bytes free;
  Bytes extent_size;
  std::uint64_t missing_disks = 0;
};

// The columns to ask for, in the form of -o.
extern const std::string_view kVolumeColumns;
extern const std::string_view kGroupColumns;

// Errors: corrupt, naming the member.
Result<std::vector<LvmVolume>> parse_volume_report(std::string_view json);
Result<std::vector<LvmGroup>> parse_group_report(std::string_view json);

}  // namespace volplugin::backend
