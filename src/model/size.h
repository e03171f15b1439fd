// SPDX-License-Identifier: Apache-2.0
// Sizes as people write them. Base 1024 for every spelling (the requirements' "10MB" is 10 MiB).
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace volplugin::model {

enum class BareNumber {
  refused,    // a unit is required (tenant JSON)
  mebibytes,  // "1000" means 1000 MiB (driver options)
};

// Largest size accepted: 8 EiB - 1, what a signed file offset can hold.
inline constexpr Bytes kMaxSize{(std::uint64_t{1} << 63) - 1};

// A positive integer followed by B, K, M, G, T, KB.., KiB.. (any case), with an optional blank between.
// Errors: invalid_argument that quotes the text and names the rule: empty, sign, fraction, zero,
// unknown unit, missing unit, too large.
Result<Bytes> parse_size(std::string_view text, BareNumber bare);

// The shortest exact spelling with the units of the requirements: "10MB", "1GB", "1536KB", "17B".
std::string format_size(Bytes size);

}  // namespace volplugin::model
