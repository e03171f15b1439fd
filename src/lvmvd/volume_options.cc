// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/volume_options.h"

#include "model/names.h"
#include "model/size.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace volplugin::lvmvd {
namespace {

constexpr std::string_view kDefaultFilesystem = "ext4";

struct Filesystem {
  std::string_view name;
  std::string_view command;
};
constexpr std::array kFilesystems{
    Filesystem{"ext4", "mkfs.ext4 -q %"},   Filesystem{"ext3", "mkfs.ext3 -q %"},
    Filesystem{"ext2", "mkfs.ext2 -q %"},   Filesystem{"xfs", "mkfs.xfs -q %"},
    Filesystem{"btrfs", "mkfs.btrfs -q %"},
};

constexpr std::string_view kSuffix = "-oS";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Error too_large(std::string_view name) {
  return make_error(
      Code::invalid_argument,
      fmt::format("the size at the end of the name '{}' is too large: less than 8 EB is allowed",
                  model::printable(name)));
}

Result<> refuse_unknown(const std::map<std::string, std::string>& options) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : options)
    if (key != "size" && key != "Size" && key != "filesystem") unknown.push_back(model::printable(key));
  if (unknown.empty()) return {};
  return make_error(Code::invalid_argument, fmt::format("unknown option {}; the options are size, filesystem",
                                                        fmt::join(unknown, ", ")));
}

Result<std::optional<Bytes>> size_option(const std::map<std::string, std::string>& options) {
  const auto lower = options.find("size");
  const auto upper = options.find("Size");
  if (lower != options.end() && upper != options.end())
    return make_error(Code::invalid_argument, "the options size and Size mean the same; give one of them");
  if (lower == options.end() && upper == options.end()) return std::optional<Bytes>();
  return std::optional(TRY(parse_volume_size(lower != options.end() ? lower->second : upper->second)));
}

}  // namespace

Result<Bytes> parse_volume_size(std::string_view text) {
  const Bytes size = TRY(model::parse_size(text, model::BareNumber::mebibytes));
  if (size < kMinVolumeSize)
    return make_error(Code::invalid_argument, fmt::format("size '{}' is too small: a volume has at least 1MB",
                                                          model::printable(text)));
  return size;
}

Result<std::optional<Bytes>> size_in_name(std::string_view name) {
  std::string_view rest = name;
  unsigned shift = 20;
  if (rest.ends_with('M') || rest.ends_with('G')) {
    if (rest.back() == 'G') shift = 30;
    rest.remove_suffix(1);
  }
  size_t start = rest.size();
  while (start > 0 && is_digit(rest[start - 1])) --start;
  const std::string_view digits = rest.substr(start);
  if (digits.empty() || !rest.substr(0, start).ends_with(kSuffix)) return std::optional<Bytes>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc() || number > (model::kMaxSize.count >> shift)) return too_large(name);
  if (number == 0) return std::optional<Bytes>();
  return std::optional(Bytes{number << shift});
}

Result<VolumeOptions> parse_volume_options(std::string_view name,
                                           const std::map<std::string, std::string>& options,
                                           Bytes default_size) {
  TRY(refuse_unknown(options));
  VolumeOptions volume{default_size, std::string(kDefaultFilesystem)};
  if (const auto given = TRY(size_option(options)))
    volume.size = *given;
  else if (const auto named = TRY(size_in_name(name)))
    volume.size = *named;
  if (const auto filesystem = options.find("filesystem"); filesystem != options.end()) {
    TRY(filesystem_command(filesystem->second));
    volume.filesystem = filesystem->second;
  }
  return volume;
}

Result<std::string_view> filesystem_command(std::string_view filesystem) {
  std::vector<std::string_view> names;
  for (const auto& [name, command] : kFilesystems) {
    if (name == filesystem) return command;
    names.push_back(name);
  }
  return make_error(Code::invalid_argument,
                    fmt::format("the file system '{}' is unknown; the file systems are {}",
                                model::printable(filesystem), fmt::join(names, ", ")));
}

}  // namespace volplugin::lvmvd
