// SPDX-License-Identifier: Apache-2.0
#include "http/address.h"

#include <charconv>

#include <sys/un.h>

namespace volplugin::http {
namespace {

constexpr std::string_view kUnixScheme = "unix://";
constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

Error bad(std::string_view text, std::string_view why) {
  return make_error(Code::invalid_argument,
                    fmt::format("address '{}': {} (write host:port or unix:///path)", text, why));
}

Result<Address> parse_unix(std::string_view text) {
  const std::string_view path = text.substr(kUnixScheme.size());
  if (path.size() < 2 || path.front() != '/' || path.back() == '/')
    return bad(text, "needs an absolute path");
  if (path.find('\0') != std::string_view::npos) return bad(text, "the path has a NUL in it");
  if (path.size() > kMaxPath)
    return bad(text, fmt::format("the path has {} bytes, a unix socket takes {}", path.size(), kMaxPath));
  return Address{.path = std::string(path), .host = {}, .port = {}};
}

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  return error == std::errc() && end == text.end() && value <= 65535;
}

bool is_host(std::string_view host) {
  return !host.empty() && host.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789.-_:%") == std::string_view::npos;
}

}  // namespace

std::string Address::text() const {
  if (is_unix()) return std::string(kUnixScheme) + path;
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with(kUnixScheme)) return parse_unix(text);
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad(text, "has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!is_port(port)) return bad(text, fmt::format("'{}' is no port number", port));
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad(text, "an IPv6 address needs brackets");
  }
  if (!is_host(host)) return bad(text, "has no valid host");
  return Address{.path = {}, .host = std::string(host), .port = std::string(port)};
}

}  // namespace volplugin::http
