// SPDX-License-Identifier: Apache-2.0
// Where a member of etcd serves its clients.
#pragma once

#include "base/result.h"

#include <string>

namespace volplugin::kv {

struct Endpoint {
  std::string address;  // host:port
  bool tls = false;

  std::string url() const { return (tls ? "https://" : "http://") + address; }
};

// "http://host:port", "https://host:port" or "host:port", which means http. An IPv6 address stands in
// brackets. Errors: invalid_argument.
Result<Endpoint> parse_endpoint(const std::string& text);

// A prefix of keys without the slash at its end, "/volplugin". Errors: invalid_argument.
Result<std::string> parse_prefix(const std::string& text);

}  // namespace volplugin::kv
