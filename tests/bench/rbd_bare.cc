// SPDX-License-Identifier: Apache-2.0
// Make an image of 10 GiB, take a snapshot, remove it, remove the image: with librbd on one connection and
// with the program rbd, round by round in turn, so that both sides meet the same machine. Prints the medians.
// The Ceph serves already.
#include "bare_rbd.h"
#include "require.h"
#include "samples.h"

#include <array>
#include <optional>

using namespace volplugin::bench;

namespace {

constexpr int kWarmUp = 5;
constexpr std::array<const char*, 4> kSteps{"create", "snapshot", "remove snapshot", "remove"};

using Times = std::array<Samples, kSteps.size()>;

struct Settings {
  CephPool where;
  int rounds = 60;
};

template <class Images>
void run_life(Images& images, const std::string& name, Times* times) {
  const std::array<MilliSeconds, kSteps.size()> took{
      time_of([&] { images.create(name); }), time_of([&] { images.snapshot(name); }),
      time_of([&] { images.remove_snapshot(name); }), time_of([&] { images.remove(name); })};
  if (times == nullptr) return;
  for (size_t i = 0; i < took.size(); ++i) (*times)[i].add(took[i]);
}

void print(const Times& library, const Times& commands) {
  fmt::print("{} interleaved rounds, milliseconds; {}\n\n", library[0].count(), machine());
  fmt::print("| step            |  librbd |       quartiles | rbd command |       quartiles |\n");
  fmt::print("|-----------------|--------:|----------------:|------------:|----------------:|\n");
  for (size_t i = 0; i < kSteps.size(); ++i)
    fmt::print("| {:<15} | {:>7.2f} | {:>15} | {:>11.2f} | {:>15} |\n", kSteps[i], library[i].median(),
               library[i].quartiles(), commands[i].median(), commands[i].quartiles());
}

void run(const Settings& settings) {
  BareRbd library(settings.where);
  RbdCommands commands(settings.where);
  Times library_times, command_times;
  for (int round = -kWarmUp; round < settings.rounds; ++round) {
    const bool counts = round >= 0;
    const std::string name = fmt::format("bench-bare-{}", round + kWarmUp);
    const auto run_library = [&] { run_life(library, name, counts ? &library_times : nullptr); };
    const auto run_commands = [&] { run_life(commands, name, counts ? &command_times : nullptr); };
    // In turn first, so that neither always inherits what the other left to do.
    if (round % 2 == 0) run_library();
    run_commands();
    if (round % 2 != 0) run_library();
  }
  print(library_times, command_times);
}

std::optional<Settings> parse(int argc, char** argv) {
  Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
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
  if (!settings) give_up("usage: bench_rbd_bare --conf FILE --pool POOL [--id USER] [--rounds N]");
  run(*settings);
}
