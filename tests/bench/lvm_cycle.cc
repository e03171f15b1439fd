// SPDX-License-Identifier: Apache-2.0
// Create, mount, unmount and remove a volume in an LVM volume group: through lvmvd and with the programs that
// the work takes, round by round in turn, so that both sides meet the same machine. Prints the medians. Runs
// in a guest of the lab, as lvm_in_lab.py tells it to; lvmvd serves already.
#include "bare_lvm.h"
#include "life.h"
#include "plugin_volume.h"
#include "quiet.h"
#include "require.h"

using namespace volplugin::bench;

namespace {

constexpr int kMegabytes = 512;  // lvmvd's default
constexpr int kWarmUp = 3;

void run(const std::string& group, const std::string& socket, const std::string& directory, int rounds) {
  PluginVolumes lvmvd(socket, "{}");
  BareLvm bare(group, kMegabytes, directory);
  Lives lvmvd_lives;
  Lives bare_lives;
  for (int round = -kWarmUp; round < rounds; ++round) {
    const bool counts = round >= 0;
    const std::string name = fmt::format("v{}", round + kWarmUp);
    // Both begin when udev has done what the other gave it to do.
    const auto run_bare = [&] {
      await_quiet_udev();
      run_life(bare, "bare-" + name, counts ? &bare_lives : nullptr);
    };
    const auto run_lvmvd = [&] {
      await_quiet_udev();
      run_life(lvmvd, "lvmvd-" + name, counts ? &lvmvd_lives : nullptr);
    };
    if (round % 2 == 0) run_bare();
    run_lvmvd();
    if (round % 2 != 0) run_bare();
  }
  print_lives(bare_lives, "lvmvd", lvmvd_lives);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) give_up("usage: bench_lvm_cycle GROUP SOCKET DIRECTORY ROUNDS");
  const int rounds = std::atoi(argv[4]);
  if (rounds < 1) give_up("at least one round is needed");
  run(argv[1], argv[2], argv[3], rounds);
}
