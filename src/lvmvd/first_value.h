// SPDX-License-Identifier: Apache-2.0
// Where the first JSON value of a text ends, found as Go's decoder does, with its words for what is wrong:
// scripts that drive the original may know them. Pure.
#pragma once

#include "base/result.h"

#include <string_view>

namespace volplugin::lvmvd {

// The text of the first value, without the blanks before it; what follows it is not looked at. It can still
// be refused by json::Value::parse, which is stricter. Errors: invalid_argument: "EOF" when there is nothing
// but blanks, "unexpected EOF" when the value does not end, "invalid character ..." for bad syntax; deeper
// than json::kMaxDepth.
Result<std::string_view> first_json_value(std::string_view text);

}  // namespace volplugin::lvmvd
