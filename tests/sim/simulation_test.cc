// SPDX-License-Identifier: Apache-2.0
// The ring `sim`: many short runs of a whole cluster, each from a seed of its own. One run again:
//   SIMULATION_SEED=17 SIMULATION_STEPS=3000 build/bin/simulation
// Other seeds than ever before, and more of them (10 million steps):
//   SIMULATION_FIRST_SEED=100000 SIMULATION_TOTAL=10000000 build/bin/simulation
#include "world.h"

#include <chrono>
#include <cstdlib>

#include <gtest/gtest.h>

namespace volplugin::sim {
namespace {

constexpr std::uint64_t kStepsOfARun = 1'500;
constexpr std::uint64_t kSteps = 1'000'000;
constexpr std::chrono::seconds kTime{60};

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

// Returns how many steps it took.
std::uint64_t expect_no_violation(std::uint64_t seed, std::uint64_t steps) {
  World world(seed);
  const auto violation = world.run(steps);
  if (violation)
    ADD_FAILURE() << world.trace() << "seed " << seed << ", step " << world.steps() << ": " << *violation
                  << "\nagain: SIMULATION_SEED=" << seed << " SIMULATION_STEPS=" << steps
                  << " build/bin/simulation";
  return world.steps();
}

// Seeds that once found a defect. They only show it again while the simulator draws the same: the defects are
// kept away by all runs together.
class Regression : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Regression, StaysMended) {
  expect_no_violation(GetParam(), kStepsOfARun);
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, Regression,
    testing::Values(1,     // a host that was fenced and lost power was never let in again
                    191,   // a volume that is gone was acknowledged from a stale cache
                    193,   // a create under way elsewhere was cleared away, its image left
                    444,   // another volmaster's record was taken for the own one
                    208,   // a stale cache kept the record of a host that gave it back after it was fenced
                    5505,  // an image made by who was overtaken meanwhile stayed when removing it failed
                    1119,  // an image was deleted although the record had become ready again
                    1530,  // a late request to mount replaced the claim of who had it mounted
                    1034,  // a lease was renewed for ever whose session another one had replaced
                    27,    // the snapshot of an earlier volume of that name was acknowledged as this one's
                    46),   // and one of a volume that is being removed
    [](const auto& seed) { return std::to_string(seed.param); });

TEST(Simulation, KeepsItsInvariants) {
  const auto steps = number_from("SIMULATION_STEPS").value_or(kStepsOfARun);
  if (const auto seed = number_from("SIMULATION_SEED")) {
    expect_no_violation(*seed, steps);
    return;
  }
  const auto first = number_from("SIMULATION_FIRST_SEED").value_or(1);
  const auto asked = number_from("SIMULATION_TOTAL");
  const auto begin = std::chrono::steady_clock::now();
  const auto in_time = [&] { return asked || std::chrono::steady_clock::now() - begin < kTime; };
  std::uint64_t done = 0, seed = first;
  while (done < asked.value_or(kSteps) && in_time() && !HasFailure())
    done += expect_no_violation(seed++, steps);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{} runs, {} steps, {:.0f} steps/s\n", seed - first, done,
             static_cast<double>(done) / took.count());
}

}  // namespace
}  // namespace volplugin::sim
