// SPDX-License-Identifier: Apache-2.0
// What a request line can do to us: decode, parse_query, the router and the request parser take any bytes.
#include "base/check.h"
#include "http/client.h"
#include "http/parse.h"
#include "http/router.h"

#include <cstdint>

namespace {

using namespace volplugin;

void check_encoding(std::string_view text) {
  if (const auto decoded = http::decode(text)) {
    const auto again = http::decode(http::encode(*decoded));
    CHECK(again && *again == *decoded);
  }
}

void check_query(std::string_view text) {
  const auto query = http::parse_query(text);
  if (!query) return;
  for (const auto& [key, value] : *query) CHECK(!key.empty() && value.find('\0') == std::string::npos);
}

void check_router(std::string_view text) {
  static const http::Router<int> router({{"GET", "/", 1},
                                         {"GET", "/v1/volumes", 2},
                                         {"GET", "/v1/volumes/{tenant}/{volume}", 3},
                                         {"PUT", "/v1/volumes/{tenant}/{volume}", 4},
                                         {"POST", "/{any}", 5}});
  for (const std::string_view method : {"GET", "PUT", "HEAD", "PATCH"}) {
    const auto match = router.match(method, text);
    if (match && match->target == 3) CHECK(!match->params["tenant"].empty());
    if (!match)
      CHECK(match.error().status == 400 || match.error().status == 404 || match.error().status == 405);
  }
}

// The same bytes must mean the same in one piece and in pieces.
void check_parser(std::string_view text) {
  http::RequestReader whole((http::Limits()));
  whole.feed(text);
  http::RequestReader pieces((http::Limits()));
  std::string pending;
  for (const char c : text) {
    pending += c;
    pending.erase(0, pieces.feed(pending));
    if (pieces.complete() || pieces.refusal()) break;
  }
  CHECK(whole.complete() == pieces.complete());
  if (whole.complete()) CHECK(whole.take().body == pieces.take().body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  check_encoding(text);
  check_query(text);
  check_router(text);
  check_parser(text);
  return 0;
}
