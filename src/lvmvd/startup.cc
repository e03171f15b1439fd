// SPDX-License-Identifier: Apache-2.0
#include "lvmvd/startup.h"

#include <charconv>
#include <filesystem>
#include <system_error>

namespace volplugin::lvmvd {
namespace {

Result<> check_command_line(const Settings& settings) {
  if (settings.listener != "unix" && settings.listener != "http")
    return make_error(Code::invalid_argument, fmt::format("unrecognized listener {}", settings.listener));
  TRY(parse_port(settings.port));
  if (settings.listener == "http" && settings.host.empty())
    return make_error(Code::invalid_argument,
                      "--host is empty: write localhost, or 0.0.0.0 to be reached from everywhere");
  if (settings.mount_root.empty()) {
    std::string text = "must specify a root directory for mounted filesystems\n" + usage();
    text.pop_back();
    return make_error(Code::invalid_argument, std::move(text));
  }
  if (absolute_path(settings.mount_root) == "/")
    return make_error(Code::invalid_argument, "--mount-root must not be the root directory of the host");
  return {};
}

Result<> check_volume_group(const std::string& name, const StartConditions& conditions) {
  if (!name.empty() && TRY(conditions.volume_group_exists())) return {};
  return make_error(Code::not_found, fmt::format("No such volume group: {}", name));
}

}  // namespace

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), port);
  if (error != std::errc() || end != text.end() || port == 0)
    return make_error(Code::invalid_argument,
                      fmt::format("--port '{}' is not a number from 1 to 65535", text));
  return port;
}

std::string address_of(const Settings& settings) {
  const auto port = parse_port(settings.port);
  const bool bare_ipv6 = settings.host.contains(':') && !settings.host.starts_with('[');
  return fmt::format("{}{}{}:{}", bare_ipv6 ? "[" : "", settings.host, bare_ipv6 ? "]" : "",
                     port.value_or(0));
}

Result<std::string> prepare_start(const Settings& settings, const StartConditions& conditions,
                                  const Group& group) {
  TRY(check_command_line(settings));
  if (conditions.user != 0)
    return make_error(Code::permission_denied, fmt::format("{} must be run as root.", conditions.program));
  TRY(check_volume_group(settings.volume_group, conditions));
  const std::string mount_root = absolute_path(settings.mount_root);
  TRY(ensure_directory(mount_root, group));
  std::error_code failed;
  const auto real = std::filesystem::canonical(mount_root, failed);
  if (failed) return errno_error(failed.value(), fmt::format("resolving {}", mount_root));
  return real.string();
}

}  // namespace volplugin::lvmvd
