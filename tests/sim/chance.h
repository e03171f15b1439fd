// SPDX-License-Identifier: Apache-2.0
// Chance: every decision of a simulated run, from one seed. The same on every machine: no distribution of
// the standard library, whose numbers differ between its versions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace volplugin::sim {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t end) { return engine_() % end; }  // 0 .. end - 1
  bool one_in(std::uint64_t many) { return below(many) == 0; }
  template <class Container>
  auto& of(Container& container) {  // not an empty one
    return container[static_cast<size_t>(below(container.size()))];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace volplugin::sim
