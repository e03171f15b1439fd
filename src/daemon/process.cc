// SPDX-License-Identifier: Apache-2.0
#include "daemon/process.h"

#include "daemon/version.h"
#include "os/systemd.h"

#include <filesystem>

#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>

namespace volplugin::daemon {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) sigaddset(&set, number);
  return set;
}

long count_entries(const char* directory) {
  std::error_code failed;
  const auto entries = std::filesystem::directory_iterator(directory, failed);
  return failed ? -1 : std::distance(begin(entries), end(entries));
}

}  // namespace

void prepare_process(const CommonSettings& settings) {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  umask(0077);
  mallopt(M_ARENA_MAX, 2);  // the default, one arena per thread, keeps megabytes of freed memory
  open_log(settings.log_format, settings.debug ? LogLevel::debug : LogLevel::info);
}

void wait_for_end() {
  const sigset_t set = handled_signals();
  for (;;) {
    int number = 0;
    sigwait(&set, &number);
    if (number == SIGTERM || number == SIGINT) break;
    if (number == SIGUSR1)
      log(LogLevel::info, fmt::format("volplugin {}: {} open files, {} threads", kVersion,
                                      count_entries("/proc/self/fd"), count_entries("/proc/self/task")));
  }
  log(LogLevel::info, "stopping");
  os::notify_stopping("stopping");
}

int failed_to_start(const Error& error) {
  log(LogLevel::error, fmt::format("cannot start: {}", error.message));
  return 1;
}

}  // namespace volplugin::daemon
