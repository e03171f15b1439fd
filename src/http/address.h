// SPDX-License-Identifier: Apache-2.0
// Address: where to listen or to connect: "host:port", "[ipv6]:port" or "unix:///path".
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace volplugin::http {

struct Address {
  std::string path;  // absolute; not empty means a unix socket
  std::string host;  // without brackets
  std::string port;  // decimal, 0 to 65535

  bool is_unix() const { return !path.empty(); }
  // The form that parse_address() reads.
  std::string text() const;
};

// Errors: invalid_argument (also for a path longer than a unix socket address can hold).
Result<Address> parse_address(std::string_view text);

}  // namespace volplugin::http
