// SPDX-License-Identifier: Apache-2.0
// HTTP client over TCP and unix sockets (libcurl, known to this folder only). Keeps connections alive.
// Threads: one Client may be used from any thread at once (it keeps a small pool of handles).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/op.h"
#include "base/result.h"

namespace volplugin::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target;  // "/v1/volumes?limit=10", already encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string_view header(std::string_view name) const;
};

class Client {
 public:
  // `address`: "host:port" or "unix:///path". Does not connect. Errors: invalid_argument.
  static Result<std::unique_ptr<Client>> open(const std::string& address);
  ~Client();

  // Blocks until the answer is complete or the Op ends (its stop token is watched too). A response body
  // above 64 MiB is resource_exhausted. Never retries.
  // Errors: unavailable with Effect::none (not connected: nothing was sent) or Effect::unknown (sent,
  // then lost), deadline_exceeded and cancelled (Effect::unknown).
  Result<ClientResponse> send(const Op& op, const ClientRequest& request);

  const std::string& address() const;

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Percent-encodes one path segment or query value (RFC 3986 unreserved characters stay).
std::string encode(std::string_view text);
// Inverse; invalid_argument for a broken escape or an encoded NUL.
Result<std::string> decode(std::string_view text);

}  // namespace volplugin::http
