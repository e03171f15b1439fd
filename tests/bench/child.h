// SPDX-License-Identifier: Apache-2.0
// A program as a child of the benchmark. Dies with it. One thread.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace volplugin::bench {

struct Memory {
  double resident_mib = 0;   // VmRSS
  double anonymous_mib = 0;  // RssAnon: without the pages of the program file itself
};

class Child {
 public:
  // The first word of `argv` is looked for in PATH if it has no slash. What it prints is appended to `log`.
  Child(std::vector<std::string> argv, const std::string& log);
  ~Child();  // TERM, and waits
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  bool ended();
  Memory memory() const;
  double processor_ms() const;  // used so far, by it and the kernel for it

 private:
  pid_t pid_ = -1;  // -1: ended, and waited for
};

// A port of the loopback address for a child that cannot bind to port 0. The kernel gives out ports in turn,
// so one that is free now stays free for long enough.
int free_port();

}  // namespace volplugin::bench
