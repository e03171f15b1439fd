// SPDX-License-Identifier: Apache-2.0
// HTTP client over TCP and unix sockets (libcurl, known to this folder only). Keeps connections alive.
// Threads: one Client may be used from any thread at once (it keeps a small pool of handles).
#pragma once

#include "base/op.h"
#include "base/result.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace volplugin::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // "/v1/volumes?limit=10", already encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct ClientResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string_view header(std::string_view name) const;
};

// What to do with an answer that goes on.
struct Following {
  // Gets the body of a success as it comes, on the caller's thread; false: that is enough.
  std::function<bool(std::string_view part)> take;
  Millis silence;  // the server says something at least so often
};

class Client {
 public:
  // `address`: "host:port" or "unix:///path". Does not connect. Errors: invalid_argument.
  static Result<std::unique_ptr<Client>> open(const std::string& address);
  ~Client();

  // Blocks until the answer is complete or the Op ends (its stop token is watched too). Any status is an
  // answer; redirects are not followed. Never repeats a request that a server may have seen, except GET
  // and HEAD on a kept-alive connection that turns out to be closed.
  // Errors: unavailable (not connected, or sent and then lost), deadline_exceeded, cancelled, corrupt (the
  // answer is no HTTP), resource_exhausted (response body above 64 MiB); each with Effect::none when not one
  // byte of the request was sent, else Effect::unknown. invalid_argument (Effect::none) for a request with
  // characters that do not belong there.
  Result<ClientResponse> send(const Op& op, const ClientRequest& request);

  // For answers that go on: blocks until the server ends it or `take` has enough; then the response has no
  // body. The Op's deadline is for the beginning of the answer, its stop token ends it at any time. An answer
  // that is no success comes as from send(). Errors: those of send(); unavailable when nothing came for
  // `silence`.
  Result<ClientResponse> follow(const Op& op, const ClientRequest& request, const Following& following);

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
