// SPDX-License-Identifier: Apache-2.0
// The life of a volume (create, mount, unmount, remove), timed step by step, and two of them compared.
#pragma once

#include "samples.h"

#include <array>
#include <string>

namespace volplugin::bench {

// The lives of one side's volumes.
struct Lives {
  std::array<Samples, 4> steps;
  Samples whole;
};

// `lives`: where the times are added; null for a warm-up.
template <class Volumes>
void run_life(Volumes& volumes, const std::string& name, Lives* lives) {
  const std::array<MilliSeconds, 4> took{
      time_of([&] { volumes.create(name); }), time_of([&] { volumes.mount(name); }),
      time_of([&] { volumes.unmount(name); }), time_of([&] { volumes.remove(name); })};
  if (lives == nullptr) return;
  for (size_t i = 0; i < took.size(); ++i) lives->steps[i].add(took[i]);
  lives->whole.add(took[0] + took[1] + took[2] + took[3]);
}

// `ours`: the name of the side that is compared with the bare one.
void print_lives(const Lives& bare, const std::string& ours, const Lives& lives);

}  // namespace volplugin::bench
