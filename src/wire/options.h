// SPDX-License-Identifier: Apache-2.0
// The object the requirements call default-options; volumes show theirs in the same form.
#pragma once

#include "model/options.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace volplugin::wire {

// Only what is said is written.
void write_options(JsonWriter& writer, const model::OptionSet& options);
Result<model::OptionSet> parse_options(const JsonValue& value);

}  // namespace volplugin::wire
