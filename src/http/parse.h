// SPDX-License-Identifier: Apache-2.0
// RequestReader: bytes to one Request (Boost.Beast's parser plus the checks it leaves to its users).
// Anything that two HTTP implementations could understand differently is refused. Not thread-safe.
#pragma once

#include "http/server.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace volplugin::http {

// Why a request is not handed to the handler. The connection must be closed after the answer.
struct Refusal {
  int status = 400;
  std::string code;
  std::string detail;
};

// What the answer must know about its request.
struct Framing {
  bool head = false;        // HEAD: no body
  bool http11 = true;       // else HTTP/1.0
  bool keep_alive = false;  // the client wants to send another request
};

class RequestReader {
 public:
  explicit RequestReader(const Limits& limits);
  ~RequestReader();

  // Takes what it can use from the front of `bytes` and returns how much that was. The rest must be
  // presented again, with more behind it. Takes nothing behind the end of the request.
  size_t feed(std::string_view bytes);

  bool complete() const;
  const std::optional<Refusal>& refusal() const;
  // The header asks for "100 Continue" before the body.
  bool wants_continue() const;

  // Requires complete().
  Framing framing() const;
  Request take();

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace volplugin::http
