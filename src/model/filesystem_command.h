// SPDX-License-Identifier: Apache-2.0
// The mkfs commands of a tenant's `filesystems`: `%` is the device, `%%` a literal `%`.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace volplugin::model {

inline constexpr std::string_view kDefaultFilesystem = "ext4";
inline constexpr std::string_view kDefaultFilesystemCommand = "mkfs.ext4 -m0 %";
inline constexpr size_t kMaxFilesystemCommand = 4096;

// Errors: invalid_argument when the command is empty, longer than 4096 bytes, contains NUL, or has no
// `%` that stands for the device. `field` names it in the message.
Result<> check_filesystem_command(std::string_view command, std::string_view field);

// Left to right: `%%` becomes `%`, every other `%` becomes `device`. `device` must be a plain /dev path.
std::string expand_filesystem_command(std::string_view command, std::string_view device);

// The words of an expanded command in which a shell would find nothing to do but to start mkfs: the first
// begins with "mkfs" and all are made of letters, digits and `_-+=,.:/@`. Empty: it takes a shell.
std::vector<std::string> plain_words(std::string_view command);

}  // namespace volplugin::model
