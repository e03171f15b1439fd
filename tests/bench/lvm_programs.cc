// SPDX-License-Identifier: Apache-2.0
// Counts the programs that each step of a volume's life in an LVM volume group starts. Runs in a guest of the
// lab, as lvm_in_lab.py tells it to; the plugins serve already.
#include "bare_lvm.h"
#include "exec_trace.h"
#include "plugin_volume.h"
#include "quiet.h"
#include "require.h"

#include <array>

#include <unistd.h>

using namespace volplugin::bench;

namespace {

constexpr int kMegabytes = 512;
constexpr int kVolumes = 5;

// "lvcreate, 2 sh": what was started for one volume, and how often if not once.
std::string shown(const Programs& programs, int volumes) {
  std::string text;
  for (const auto& [path, times] : programs) {
    if (!text.empty()) text += ", ";
    if (times != volumes) text += fmt::format("{:g} ", double(times) / volumes);
    text += path.substr(path.rfind('/') + 1);
  }
  return text.empty() ? "none" : text;
}

template <class Volumes>
void count(const std::string& side, pid_t process, Volumes& volumes, const std::string& prefix) {
  ExecTrace trace(process);
  using Step = void (Volumes::*)(const std::string&);
  constexpr std::array<Step, 4> kWork{&Volumes::create, &Volumes::mount, &Volumes::unmount, &Volumes::remove};
  std::string line = fmt::format("| {} |", side);
  int own = 0;
  int processes = 0;
  Programs others;
  await_quiet_udev();
  for (const Step step : kWork) {
    const auto seen = trace.during([&] {
      for (int i = 0; i < kVolumes; ++i) (volumes.*step)(fmt::format("{}v{}", prefix, i));
      await_quiet_udev();
    });
    line += fmt::format(" {} |", shown(seen.own, kVolumes));
    for (const auto& [path, times] : seen.own) own += times;
    processes += seen.own_processes;
    for (const auto& [path, times] : seen.others) others[path] += times;
  }
  fmt::print("{} {:g} | {:g} | {} |\n", line, double(own) / kVolumes, double(processes) / kVolumes,
             shown(others, kVolumes));
}

void count_plugin(const std::string& side, const std::string& socket, const std::string& tenant) {
  const auto connection = UnixHttp::connect(socket);
  if (!connection) give_up("nobody listens on " + socket);
  PluginVolumes volumes(socket, tenant.empty() ? "{}" : R"({"ephemeral":"true"})");
  count(side, connection->server(), volumes, tenant.empty() ? "" : tenant + "/");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc % 3 != 0)
    give_up("usage: bench_lvm_programs GROUP DIRECTORY [SIDE SOCKET TENANT]...  (TENANT '' for lvmvd)");
  fmt::print("| side | create | mount | unmount | remove | programs | processes | besides, by udev |\n");
  fmt::print("|------|--------|-------|---------|--------|---------:|----------:|------------------|\n");
  BareLvm bare(argv[1], kMegabytes, argv[2]);
  count("bare", ::getpid(), bare, "");
  for (int i = 3; i < argc; i += 3) count_plugin(argv[i], argv[i + 1], argv[i + 2]);
}
