// SPDX-License-Identifier: Apache-2.0
// The bodies of calls and answers where lvmvd keeps the habits of the original. Pure.
#pragma once

#include "dockerplugin/requests.h"
#include "http/server.h"

#include <string>
#include <string_view>

namespace volplugin::lvmvd {

// The first JSON value of the body; what follows it is ignored. Needs "Name", a string; may have "ID", a
// string, and "Opts", an object of strings and whole numbers (null is the same as absent in both, and for an
// option). Errors: invalid_argument: those of first_json_value(), "Illegal request" without a name.
Result<dockerplugin::VolumeRequest> parse_request(std::string_view body);

// Whether dockerd sent it: to tell its repeated tries, which lose their body, from an empty body that
// somebody else sent on purpose.
bool comes_from_engine(const http::Request& request);

// A JSON text with '<', '>' and '&' written as \u003c, \u003e and \u0026. They stand in strings only.
std::string escape_markup(std::string_view json);

}  // namespace volplugin::lvmvd
