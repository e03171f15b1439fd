// SPDX-License-Identifier: Apache-2.0
// Status line and header of an answer as bytes.
#pragma once

#include "base/result.h"
#include "http/parse.h"
#include "http/server.h"

#include <string>

namespace volplugin::http {

// Whether the head says how long the body is.
enum class Length { known, open };

// The body is not included: it follows unless body_allowed() is false. `framing.keep_alive` is what the
// server decided. Errors: internal for a response no client may see (line breaks in a header, a status
// that is none).
Result<std::string> serialize_head(const Response& response, const Framing& framing,
                                   Length length = Length::known);

// False for HEAD and for statuses that never have a body.
bool body_allowed(const Response& response, const Framing& framing);

}  // namespace volplugin::http
