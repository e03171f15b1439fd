// SPDX-License-Identifier: Apache-2.0
// Bytes: a size. Base 1024 everywhere; the unit lives in the type.
#pragma once

#include <compare>
#include <cstdint>

namespace volplugin {

struct Bytes {
  std::uint64_t count = 0;

  static constexpr Bytes kib(std::uint64_t n) { return Bytes{n << 10}; }
  static constexpr Bytes mib(std::uint64_t n) { return Bytes{n << 20}; }
  static constexpr Bytes gib(std::uint64_t n) { return Bytes{n << 30}; }
  constexpr auto operator<=>(const Bytes&) const = default;
};

// Rounded up to a multiple of `unit` (a power of two or not; not zero).
constexpr Bytes round_up(Bytes size, Bytes unit) {
  return Bytes{(size.count + unit.count - 1) / unit.count * unit.count};
}

}  // namespace volplugin
