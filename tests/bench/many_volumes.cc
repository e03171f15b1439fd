// SPDX-License-Identifier: Apache-2.0
// What 10,000 volume records cost `volplugin --standalone`: time to start, memory, time to list them.
// The same start and memory without any record stand beside it.
#include "daemon.h"
#include "fill_store.h"
#include "list_pages.h"
#include "require.h"
#include "unix_http.h"

#include <filesystem>
#include <thread>

using namespace volplugin::bench;

namespace {

constexpr int kVolumes = 10'000;
constexpr int kStarts = 15;
constexpr int kLists = 20;
constexpr std::chrono::seconds kSettle{2};  // first recovery passes and the watch are over
constexpr double kIdleGoal = 20;            // MiB
constexpr double kStartGoal = 300;          // milliseconds

struct Settings {
  std::string program;
  std::string directory;
};

void print_start_and_memory(const Settings& settings, const std::string& directory, const char* what) {
  Samples starts;
  for (int i = 0; i < kStarts; ++i) starts.add(Daemon(settings.program, directory).start_up());
  const Daemon daemon(settings.program, directory);
  std::this_thread::sleep_for(kSettle);
  const Memory idle = daemon.memory();
  fmt::print("| {:<14} | {:>12.1f} | {:>13} | {:>13.1f} | {:>14.1f} |\n", what, starts.median(),
             starts.quartiles(), idle.resident_mib, idle.anonymous_mib);
}

template <class List>
void print_list(const char* what, List list) {
  Samples times;
  size_t bytes = 0;
  for (int i = 0; i < kLists; ++i) times.add(time_of([&] { bytes = list(); }));
  fmt::print("| {:<33} | {:>10.2f} | {:>13} | {:>10.3f} |\n", what, times.median(), times.quartiles(),
             double(bytes) / 1e6);
}

void print_lists(const Settings& settings, const std::string& directory) {
  const Daemon daemon(settings.program, directory);
  UnixHttp api = *UnixHttp::connect(daemon.api_socket());
  UnixHttp plugin = *UnixHttp::connect(daemon.plugin_socket());
  const auto get = [&](const std::string& target) { return api.get(target); };
  fmt::print("| {:<33} | median, ms |     quartiles | MB of JSON |\n",
             fmt::format("listing {} volumes", kVolumes));
  fmt::print("|-----------------------------------|-----------:|--------------:|-----------:|\n");
  print_list("GET /v1/volumes?limit=10000", [&] { return list_pages(get, 10'000); });
  print_list("GET /v1/volumes, 10 pages of 1000", [&] { return list_pages(get, 1000); });
  print_list("GET /v1/volumes, 100 pages of 100", [&] { return list_pages(get, 100); });
  print_list("VolumeDriver.List", [&] { return plugin.post("/VolumeDriver.List", "{}\n").size(); });
  print_list("VolumeDriver.Get of one", [&] {
    return plugin.post("/VolumeDriver.Get", "{\"Name\":\"tenant3/volume-00123\"}\n").size();
  });
  std::this_thread::sleep_for(kSettle);
  const Memory after = daemon.memory();
  fmt::print("\nresident after the lists: {:.1f} MiB, of that anonymous {:.1f} MiB\n", after.resident_mib,
             after.anonymous_mib);
}

void run(const Settings& settings) {
  const std::string empty = settings.directory + "/empty";
  const std::string full = settings.directory + "/full";
  std::filesystem::create_directories(full);
  fill_sqlite(Daemon::store_in(full), kVolumes);
  fmt::print("median of {} starts; goals: {:.0f} ms to start, {:.0f} MiB resident when idle; {}\n\n", kStarts,
             kStartGoal, kIdleGoal, machine());
  fmt::print("| records        | start-up, ms |     quartiles | resident, MiB | anonymous, MiB |\n");
  fmt::print("|----------------|-------------:|--------------:|--------------:|---------------:|\n");
  print_start_and_memory(settings, empty, "none");
  print_start_and_memory(settings, full, "10000 volumes");
  fmt::print("\n");
  print_lists(settings, full);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) give_up("usage: bench_many_volumes VOLPLUGIN DIRECTORY");
  run({argv[1], argv[2]});
}
