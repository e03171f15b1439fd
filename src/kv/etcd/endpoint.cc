// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/endpoint.h"

#include "kv/rules.h"

#include <algorithm>
#include <charconv>

namespace volplugin::kv {
namespace {

constexpr size_t kMaxPrefix = 128;  // with the longest key far below what etcd takes

bool is_host(std::string_view host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  return !host.empty() && std::ranges::all_of(host, [&](char c) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
    return plain || (bracketed ? c == ':' : c == '_');
  });
}

bool is_port(std::string_view port) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc() && end == port.data() + port.size() && number > 0 && number <= 65535;
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
  std::string_view rest = text;
  Endpoint endpoint;
  if (rest.starts_with("https://")) {
    endpoint.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto colon = rest.rfind(':');
  if (colon == rest.npos || !is_host(rest.substr(0, colon)) || !is_port(rest.substr(colon + 1)))
    return make_error(Code::invalid_argument,
                      fmt::format("'{}' is not of the form http://HOST:PORT or https://HOST:PORT "
                                  "(one member of etcd each)",
                                  printable(text)));
  endpoint.address = rest;
  return endpoint;
}

Result<std::string> parse_prefix(const std::string& text) {
  std::string prefix = text;
  while (prefix.ends_with('/')) prefix.pop_back();
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7f; };
  if (prefix.size() < 2 || prefix.size() > kMaxPrefix || prefix.front() != '/' ||
      !std::ranges::all_of(prefix, is_plain))
    return make_error(Code::invalid_argument,
                      fmt::format("prefix '{}': a slash and 1 to {} printable characters, as in /volplugin",
                                  printable(text), kMaxPrefix - 1));
  return prefix;
}

}  // namespace volplugin::kv
