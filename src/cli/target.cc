// SPDX-License-Identifier: Apache-2.0
#include "cli/target.h"

#include <cstdlib>
#include <ranges>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

namespace volplugin::cli {
namespace {

constexpr const char* kLocalSocket = "/run/volplugin/api.sock";
constexpr const char* kDefaultAddress = "127.0.0.1:9005";

bool is_socket(const char* path) {
  struct stat status{};
  return ::stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

std::vector<std::string> split_at_commas(const std::string& text) {
  if (text.empty()) return {text};
  std::vector<std::string> parts;
  for (const auto part : std::views::split(text, ',')) parts.emplace_back(part.begin(), part.end());
  return parts;
}

std::vector<std::string> master_addresses(const Line& line) {
  if (const auto given = line.flags.find("master"); given != line.flags.end())
    return split_at_commas(fmt::format("{}", fmt::join(given->second, ",")));
  // NOLINTNEXTLINE(concurrency-mt-unsafe): read before any thread exists
  const char* const from_environment = std::getenv("VOLPLUGIN_MASTER");
  if (from_environment != nullptr && *from_environment != '\0') return split_at_commas(from_environment);
  return {is_socket(kLocalSocket) ? fmt::format("unix://{}", kLocalSocket) : kDefaultAddress};
}

}  // namespace

Result<Target> target_of(const Line& line) {
  Target target;
  const std::pair<const char*, std::string*> belongings[] = {
      {"prefix", &target.etcd.prefix},       {"etcd-cacert", &target.etcd.ca_file},
      {"etcd-cert", &target.etcd.cert_file}, {"etcd-key", &target.etcd.key_file},
      {"etcd-user", &target.etcd.user},      {"etcd-password-file", &target.etcd_password_file},
  };
  const bool on_etcd = line.has("etcd");
  for (const auto& [flag, value] : belongings) {
    if (!line.has(flag)) continue;
    if (!on_etcd) return make_error(Code::invalid_argument, fmt::format("--{} needs --etcd", flag));
    *value = line.value(flag);
    if (value->empty()) return make_error(Code::invalid_argument, fmt::format("--{} is empty", flag));
  }
  if (!on_etcd) {
    target.masters = master_addresses(line);
    return target;
  }
  if (line.has("master"))
    return make_error(Code::invalid_argument,
                      "--etcd and --master exclude each other: the records are changed either in etcd or "
                      "by a volmaster");
  target.etcd.endpoints = line.flags.find("etcd")->second;
  return target;
}

}  // namespace volplugin::cli
