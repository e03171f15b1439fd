// SPDX-License-Identifier: Apache-2.0
// Error bodies of the HTTP protocol itself (RFC 7807, application/problem+json), and the one place that
// writes JSON by hand: this folder must not know a JSON library.
#pragma once

#include "http/server.h"

#include <string>
#include <string_view>

namespace volplugin::http {

// "Not Found" for 404; "Unknown" for a status that is not in the table.
std::string_view reason_phrase(int status);

// `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD, so the result is always valid.
std::string json_quote(std::string_view text);

// {"type":"about:blank","title":<reason phrase>,"status":...,"code":...,"detail":...}
Response problem(int status, std::string_view code, std::string_view detail);

}  // namespace volplugin::http
