// SPDX-License-Identifier: Apache-2.0
// Create, mount, unmount and remove a 10 GB ext4 volume: through volplugin and with bare system calls,
// round by round in turn, so that both sides meet the same machine. Prints the medians.
#include "bare_volume.h"
#include "daemon.h"
#include "plugin_volume.h"
#include "require.h"

#include <array>
#include <functional>
#include <memory>

#include <sys/stat.h>

using namespace volplugin::bench;

namespace {

constexpr std::uint64_t kSize = 10ULL << 30;  // what volplugin makes of "10GB"
constexpr std::string_view kPolicy =
    R"({"default-options":{"size":"10GB","filesystem":"ext4"},"filesystems":{"ext4":"mkfs.ext4 -m0 %"}})";
constexpr std::array<const char*, 4> kSteps{"create", "mount", "unmount", "remove"};
constexpr int kWarmUp = 5;

struct Settings {
  std::string program;
  std::string directory;
  int rounds = 60;
  std::string side = "both";  // or "bare" or "volplugin": for counting system calls
};

struct Side {
  std::array<Samples, 4> steps;
  Samples whole;
};

template <class Volumes>
void run_round(Volumes& volumes, const std::string& name, Side* side) {
  const std::array<MilliSeconds, 4> took{
      time_of([&] { volumes.create(name); }), time_of([&] { volumes.mount(name); }),
      time_of([&] { volumes.unmount(name); }), time_of([&] { volumes.remove(name); })};
  if (side == nullptr) return;
  for (size_t i = 0; i < took.size(); ++i) side->steps[i].add(took[i]);
  side->whole.add(took[0] + took[1] + took[2] + took[3]);
}

void print_line(const char* what, const Samples& bare, const Samples& volplugin) {
  fmt::print("| {:<8} | {:>7.2f} | {:>13} | {:>9.2f} | {:>13} | {:>10.2f} | {:>5.2f} |\n", what,
             bare.median(), bare.quartiles(), volplugin.median(), volplugin.quartiles(),
             volplugin.median() - bare.median(), volplugin.median() / bare.median());
}

void print_table(const Side& bare, const Side& volplugin) {
  fmt::print("{} interleaved rounds, milliseconds; {}\n\n", bare.whole.count(), machine());
  fmt::print("| step     |    bare |     quartiles | volplugin |     quartiles | difference | ratio |\n");
  fmt::print("|----------|--------:|--------------:|----------:|--------------:|-----------:|------:|\n");
  for (size_t i = 0; i < kSteps.size(); ++i) print_line(kSteps[i], bare.steps[i], volplugin.steps[i]);
  print_line("whole", bare.whole, volplugin.whole);
}

void run(const Settings& settings) {
  require(::mkdir(settings.directory.c_str(), 0700) == 0 || errno == EEXIST, "making " + settings.directory);
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<PluginVolumes> plugin;
  std::unique_ptr<BareVolumes> bare;
  if (settings.side != "bare") {
    daemon = std::make_unique<Daemon>(settings.program, settings.directory + "/volplugin");
    UnixHttp::connect(daemon->api_socket())->put("/v1/tenants/bench", kPolicy);
    plugin = std::make_unique<PluginVolumes>(*UnixHttp::connect(daemon->plugin_socket()));
  }
  if (settings.side != "volplugin") bare = std::make_unique<BareVolumes>(settings.directory, kSize);
  Side bare_side;
  Side plugin_side;
  for (int round = -kWarmUp; round < settings.rounds; ++round) {
    const bool counts = round >= 0;
    const std::string name = fmt::format("v{}", round + kWarmUp);
    const auto run_bare = [&] {
      if (bare) run_round(*bare, name, counts ? &bare_side : nullptr);
    };
    const auto run_plugin = [&] {
      if (plugin) run_round(*plugin, "bench/" + name, counts ? &plugin_side : nullptr);
    };
    // In turn first, so that neither always inherits the other's unfinished write-back.
    if (round % 2 == 0) run_bare();
    run_plugin();
    if (round % 2 != 0) run_bare();
  }
  if (bare && plugin) {
    print_table(bare_side, plugin_side);
    fmt::print("\nvolplugin's memory after that: {:.1f} MiB resident\n", daemon->memory().resident_mib);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5)
    give_up("usage: bench_volume_cycle VOLPLUGIN DIRECTORY [ROUNDS [both|bare|volplugin]]");
  Settings settings{argv[1], argv[2]};
  if (argc > 3) settings.rounds = std::atoi(argv[3]);
  if (argc > 4) settings.side = argv[4];
  if (settings.rounds < 1) give_up("at least one round is needed");
  run(settings);
}
