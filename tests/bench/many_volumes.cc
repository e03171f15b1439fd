// SPDX-License-Identifier: Apache-2.0
// What 10,000 volume records cost `volplugin --standalone`: time to start, memory, time to list them.
// The same start and memory without any record stand beside it.
#include "daemon.h"
#include "fill_store.h"
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

std::string text_field(const std::string& json, std::string_view name) {
  const std::string key = fmt::format("\"{}\":\"", name);
  const size_t at = json.rfind(key);
  if (at == json.npos) return {};
  const size_t start = at + key.size();
  return json.substr(start, json.find('"', start) - start);
}

std::string escaped(const std::string& name) {
  const size_t slash = name.find('/');
  return slash == name.npos ? name : name.substr(0, slash) + "%2F" + name.substr(slash + 1);
}

// All pages; returns their bytes.
size_t list_pages(UnixHttp& api, int limit) {
  size_t bytes = 0;
  std::string after;
  do {
    std::string target = fmt::format("/v1/volumes?limit={}", limit);
    if (!after.empty()) target += "&after=" + escaped(after);
    const std::string page = api.get(target);
    bytes += page.size();
    after = text_field(page.substr(page.size() - std::min<size_t>(page.size(), 300)), "next");
  } while (!after.empty());
  return bytes;
}

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
  fmt::print("| {:<33} | median, ms |     quartiles | MB of JSON |\n",
             fmt::format("listing {} volumes", kVolumes));
  fmt::print("|-----------------------------------|-----------:|--------------:|-----------:|\n");
  print_list("GET /v1/volumes?limit=10000", [&] { return list_pages(api, 10'000); });
  print_list("GET /v1/volumes, 10 pages of 1000", [&] { return list_pages(api, 1000); });
  print_list("GET /v1/volumes, 100 pages of 100", [&] { return list_pages(api, 100); });
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
  fill_store(Daemon::store_in(full), kVolumes);
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
