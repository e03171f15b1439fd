// SPDX-License-Identifier: Apache-2.0
// Create, mount, unmount and remove a volume of 10 GiB in Ceph: with librbd in this program, through
// volplugin and with commands, round by round in turn, so that all meet the same machine; between unmount and
// remove each takes a snapshot and removes it. Prints the medians. The Ceph serves already.
#include "ceph_volumes.h"
#include "require.h"

#include <array>
#include <functional>
#include <optional>

#include <sys/stat.h>

using namespace volplugin::bench;

namespace {

constexpr int kWarmUp = 3;

enum Step { create, mkfs, create_less_mkfs, mount, unmount, remove, snapshot, remove_snapshot, kSteps };
constexpr std::array<const char*, kSteps> kNames{"create",   "of that, mkfs",  "create less mkfs",
                                                 "mount",    "unmount",        "remove",
                                                 "snapshot", "remove snapshot"};
using Times = std::array<Samples, kSteps>;

struct Settings {
  std::string program, directory;
  CephPool where;
  int rounds = 30;
};

// `times`: where they are added; null for a warm-up.
template <class Volumes>
void run_life(Volumes& volumes, const std::string& name, Times* times) {
  std::array<std::optional<MilliSeconds>, kSteps> took;
  took[create] = time_of([&] { volumes.create(name); });
  took[mkfs] = volumes.mkfs_time();
  took[create_less_mkfs] = *took[create] - *took[mkfs];
  took[mount] = time_of([&] { volumes.mount(name); });
  took[unmount] = time_of([&] { volumes.unmount(name); });
  took[snapshot] = time_of([&] { volumes.snapshot(name); });
  took[remove_snapshot] = time_of([&] { volumes.remove_snapshot(name); });
  took[remove] = time_of([&] { volumes.remove(name); });
  if (times == nullptr) return;
  for (size_t i = 0; i < kSteps; ++i)
    if (took[i]) (*times)[i].add(*took[i]);
}

struct Sides {
  Times library, volplugin, commands;
  Samples image, attach, detach;  // of the library's create
};

std::string median_of(const Samples& samples) {
  return samples.count() > 0 ? fmt::format("{:.2f}", samples.median()) : "-";
}

std::string quartiles_of(const Samples& samples) {
  return samples.count() > 0 ? samples.quartiles() : "-";
}

std::string ratio_of(const Samples& to, const Samples& samples) {
  return samples.count() > 0 ? fmt::format("{:.2f}", samples.median() / to.median()) : "-";
}

void print(const Sides& sides) {
  fmt::print("{} interleaved rounds, milliseconds; {}\n\n", sides.library[create].count(), machine());
  fmt::print(
      "| step             |  librbd |       quartiles | volplugin |       quartiles | ratio | commands "
      "|       quartiles | ratio |\n");
  fmt::print(
      "|------------------|--------:|----------------:|----------:|----------------:|------:|---------:"
      "|----------------:|------:|\n");
  for (size_t i = 0; i < kSteps; ++i) {
    const Samples &bare = sides.library[i], &ours = sides.volplugin[i], &typed = sides.commands[i];
    fmt::print("| {:<16} | {:>7} | {:>15} | {:>9} | {:>15} | {:>5} | {:>8} | {:>15} | {:>5} |\n", kNames[i],
               median_of(bare), quartiles_of(bare), median_of(ours), quartiles_of(ours), ratio_of(bare, ours),
               median_of(typed), quartiles_of(typed), ratio_of(bare, typed));
  }
  fmt::print("\nof librbd's create: image and note {}, showing it as a device {}, ending that {}\n",
             median_of(sides.image), median_of(sides.attach), median_of(sides.detach));
}

void run(const Settings& settings) {
  require(::mkdir(settings.directory.c_str(), 0700) == 0, "making " + settings.directory);
  BareCephVolumes library(settings.where, settings.directory + "/bare");
  VolpluginCephVolumes volplugin(settings.program, settings.where, settings.directory + "/volplugin");
  CommandCephVolumes commands(settings.where, settings.directory + "/commands");
  Sides sides;
  for (int round = -kWarmUp; round < settings.rounds; ++round) {
    const bool counts = round >= 0;
    const int number = round + kWarmUp;
    const std::array<std::function<void()>, 3> lives{
        [&] {
          run_life(library, fmt::format("bare-{}", number), counts ? &sides.library : nullptr);
          if (!counts) return;
          sides.image.add(library.parts().image);
          sides.attach.add(library.parts().attach);
          sides.detach.add(library.parts().detach);
        },
        [&] { run_life(volplugin, fmt::format("v{}", number), counts ? &sides.volplugin : nullptr); },
        [&] { run_life(commands, fmt::format("typed-{}", number), counts ? &sides.commands : nullptr); }};
    // In turn first, so that none always inherits what another one left to do.
    for (size_t i = 0; i < lives.size(); ++i) lives[(size_t(number) + i) % lives.size()]();
  }
  print(sides);
}

std::optional<Settings> parse(int argc, char** argv) {
  if (argc < 3) return std::nullopt;
  Settings settings{argv[1], argv[2], {}};
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string flag = argv[i], value = argv[i + 1];
    if (flag == "--conf")
      settings.where.conf = value;
    else if (flag == "--pool")
      settings.where.pool = value;
    else if (flag == "--id")
      settings.where.user = value;
    else if (flag == "--rounds")
      settings.rounds = std::atoi(value.c_str());
    else
      return std::nullopt;
  }
  if (argc % 2 == 0 || settings.where.conf.empty() || settings.where.pool.empty() || settings.rounds < 1)
    return std::nullopt;
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const auto settings = parse(argc, argv);
  if (!settings)
    give_up("usage: bench_ceph_cycle VOLPLUGIN DIRECTORY --conf FILE --pool POOL [--id USER] [--rounds N]");
  run(*settings);
}
