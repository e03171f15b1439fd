// SPDX-License-Identifier: Apache-2.0
// Create, mount, unmount and remove a 10 GB ext4 volume: through volplugin and with bare system calls,
// round by round in turn, so that both sides meet the same machine. Prints the medians.
#include "bare_volume.h"
#include "daemon.h"
#include "life.h"
#include "plugin_volume.h"
#include "require.h"

#include <functional>
#include <memory>

#include <sys/stat.h>

using namespace volplugin::bench;

namespace {

constexpr std::uint64_t kSize = 10ULL << 30;  // what volplugin makes of "10GB"
constexpr std::string_view kPolicy =
    R"({"default-options":{"size":"10GB","filesystem":"ext4"},"filesystems":{"ext4":"mkfs.ext4 -m0 %"}})";
constexpr int kWarmUp = 5;

struct Settings {
  std::string program;
  std::string directory;
  int rounds = 60;
  std::string side = "both";  // or "bare" or "volplugin": for counting system calls
};

void run(const Settings& settings) {
  require(::mkdir(settings.directory.c_str(), 0700) == 0 || errno == EEXIST, "making " + settings.directory);
  std::unique_ptr<Daemon> daemon;
  std::unique_ptr<PluginVolumes> plugin;
  std::unique_ptr<BareVolumes> bare;
  if (settings.side != "bare") {
    daemon = std::make_unique<Daemon>(settings.program, settings.directory + "/volplugin");
    UnixHttp::connect(daemon->api_socket())->put("/v1/tenants/bench", kPolicy);
    plugin = std::make_unique<PluginVolumes>(daemon->plugin_socket());
  }
  if (settings.side != "volplugin") bare = std::make_unique<BareVolumes>(settings.directory, kSize);
  Lives bare_lives;
  Lives plugin_lives;
  for (int round = -kWarmUp; round < settings.rounds; ++round) {
    const bool counts = round >= 0;
    const std::string name = fmt::format("v{}", round + kWarmUp);
    const auto run_bare = [&] {
      if (bare) run_life(*bare, name, counts ? &bare_lives : nullptr);
    };
    const auto run_plugin = [&] {
      if (plugin) run_life(*plugin, "bench/" + name, counts ? &plugin_lives : nullptr);
    };
    // In turn first, so that neither always inherits the other's unfinished write-back.
    if (round % 2 == 0) run_bare();
    run_plugin();
    if (round % 2 != 0) run_bare();
  }
  if (bare && plugin) {
    print_lives(bare_lives, "volplugin", plugin_lives);
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
