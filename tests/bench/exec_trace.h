// SPDX-License-Identifier: Apache-2.0
// The programs that are started while something runs, as the kernel saw them (event sched_process_exec):
// those of one process and its descendants apart from everybody else's, which are udev's helpers. Needs root
// and a tracefs on /sys/kernel/tracing.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <sys/types.h>

namespace volplugin::bench {

using Programs = std::map<std::string, int>;  // path -> how often it was started

class ExecTrace {
 public:
  // Follows all threads of `process`.
  explicit ExecTrace(pid_t process);
  ExecTrace(const ExecTrace&) = delete;
  ExecTrace& operator=(const ExecTrace&) = delete;
  ~ExecTrace();

  struct Seen {
    Programs own;
    int own_processes = 0;  // fewer than programs when a process turns from one into the next
    Programs others;
  };
  Seen during(const std::function<void()>& work);  // `work` ends when all that it causes is done
};

}  // namespace volplugin::bench
