// SPDX-License-Identifier: Apache-2.0
// What a volume shall be, from the options of Create, the end of its name and the defaults. Pure.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace volplugin::lvmvd {

inline constexpr Bytes kMinVolumeSize = Bytes::mib(1);

struct VolumeOptions {
  Bytes size;
  std::string filesystem;  // one that filesystem_command() knows
};

// A number of MB, or a number with a unit (model/size.h), of at least 1 MB. Errors: invalid_argument.
Result<Bytes> parse_volume_size(std::string_view text);

// The size that the end of a name asks for: "-oS8" and "-oS8M" are 8 MB, "-oS8G" is 8 GB; only capital
// letters, only at the very end. Nothing for any other end and for 0. Errors: invalid_argument when the
// number is too large.
Result<std::optional<Bytes>> size_in_name(std::string_view name);

// Options: `size` or `Size` (not both), `filesystem`. An option counts more than the name, the name more than
// `default_size`. Errors: invalid_argument that names what is wrong and what is allowed.
Result<VolumeOptions> parse_volume_options(std::string_view name,
                                           const std::map<std::string, std::string>& options,
                                           Bytes default_size);

// The command that makes this file system, with % for the device (model/filesystem_command.h). Errors:
// invalid_argument that names the known ones.
Result<std::string_view> filesystem_command(std::string_view filesystem);

}  // namespace volplugin::lvmvd
