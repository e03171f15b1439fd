// SPDX-License-Identifier: Apache-2.0
// lvmvd: Docker volumes that are logical volumes of one LVM volume group.
#include "lvmvd/endpoint.h"
#include "lvmvd/signals.h"
#include "lvmvd/startup.h"
#include "lvmvd/volumes.h"
#include "os/systemd.h"

#include <cstdio>
#include <string>

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace volplugin;

namespace {

constexpr Millis kLookTimeout{60'000};

struct Parts {
  std::unique_ptr<service::VolumeService> volumes;
  std::unique_ptr<lvmvd::Endpoint> endpoint;  // last: ends first
};

// The checks come before the signals are blocked: until then Ctrl-C ends lvmvd at once, also when LVM hangs.
Result<std::string> check(const lvmvd::Settings& settings, const char* program, const lvmvd::Group& group) {
  const auto volume_group_exists = [&settings] {
    const Op op(system_clock(), kLookTimeout, make_request_id(), "start");
    return lvmvd::volume_group_exists(op, settings.volume_group);
  };
  return lvmvd::prepare_start(settings, {program, ::geteuid(), volume_group_exists}, group);
}

Result<> start(Parts& parts, const lvmvd::Settings& settings, const std::string& mount_root,
               const lvmvd::Log& log, const lvmvd::Group& group) {
  // First, as it fails if another lvmvd serves already: two must not work on the same volumes.
  parts.endpoint = TRY(lvmvd::Endpoint::open(settings, {system_clock(), log, group}));
  const lvmvd::VolumesSettings volumes{settings.volume_group, mount_root,
                                       lvmvd::absolute_path(settings.state_dir), settings.default_size};
  parts.volumes = TRY(lvmvd::open_volumes(volumes, system_clock(),
                                          [&log](const std::string& message) { log.line(message); }));
  TRY(parts.endpoint->serve(*parts.volumes));
  os::notify_ready("serving Docker on " + parts.endpoint->address());
  return {};
}

int failed_to_start(const Error& error) {
  std::fputs((error.message + "\n").c_str(), stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto line = lvmvd::parse_flags({argv + 1, static_cast<size_t>(argc < 1 ? 0 : argc - 1)});
  if (line.ending) {
    std::fputs(line.ending->out.c_str(), stdout);
    std::fputs(line.ending->err.c_str(), stderr);
    return line.ending->exit_code;
  }
  const lvmvd::Settings& settings = line.settings;
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(0077);
  ::mallopt(M_ARENA_MAX, 2);  // the default, one arena per thread, keeps megabytes of freed memory
  const lvmvd::Log log(system_clock(), settings.debug ? lvmvd::Detail::debug : lvmvd::Detail::normal);
  const lvmvd::Group group("docker", [&log](const std::string& message) { log.line(message); });
  const auto mount_root = check(settings, argv[0], group);
  if (!mount_root) return failed_to_start(mount_root.error());

  const lvmvd::EndSignals end;
  Parts parts;
  if (const auto started = start(parts, settings, *mount_root, log, group); !started)
    return failed_to_start(started.error());
  end.wait();
  log.line("Stopping; calls under way may finish");
  os::notify_stopping("stopping");
  return 0;
}
