// SPDX-License-Identifier: Apache-2.0
// The object the requirements call default-options; volumes show theirs in the same form.
#pragma once

#include "json/reader.h"
#include "json/writer.h"
#include "model/options.h"

namespace volplugin::wire {

// Only what is said is written.
void write_options(json::Writer& writer, const model::OptionSet& options);
Result<model::OptionSet> parse_options(const json::Value& value);

}  // namespace volplugin::wire
