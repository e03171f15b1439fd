// SPDX-License-Identifier: Apache-2.0
#include "life.h"

#include <fmt/format.h>

namespace volplugin::bench {
namespace {

constexpr std::array<const char*, 4> kSteps{"create", "mount", "unmount", "remove"};

void print_line(const char* what, const Samples& bare, const Samples& ours) {
  fmt::print("| {:<8} | {:>7.2f} | {:>15} | {:>9.2f} | {:>15} | {:>10.2f} | {:>5.2f} |\n", what,
             bare.median(), bare.quartiles(), ours.median(), ours.quartiles(), ours.median() - bare.median(),
             ours.median() / bare.median());
}

}  // namespace

void print_lives(const Lives& bare, const std::string& ours, const Lives& lives) {
  fmt::print("{} interleaved rounds, milliseconds; {}\n\n", bare.whole.count(), machine());
  fmt::print("| step     |    bare |       quartiles | {:>9} |       quartiles | difference | ratio |\n",
             ours);
  fmt::print("|----------|--------:|----------------:|----------:|----------------:|-----------:|------:|\n");
  for (size_t i = 0; i < kSteps.size(); ++i) print_line(kSteps[i], bare.steps[i], lives.steps[i]);
  print_line("whole", bare.whole, lives.whole);
}

}  // namespace volplugin::bench
