// SPDX-License-Identifier: Apache-2.0
// A daemon that a test starts: it dies with the thread that started it, whatever happens to the test.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace volplugin {

class ChildProcess {
 public:
  ChildProcess() = default;  // nothing runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess() { kill(); }

  // Nothing may run. argv[0] is looked for in PATH; what the program prints is appended to `log`.
  void start(std::vector<std::string> argv, const std::string& log);
  bool running();  // it has not ended by itself, either
  void kill();     // as a power cut would
  void pause();    // it keeps its connections and answers nothing any more when this returns
  void resume();

 private:
  void signal(int number) const;

  pid_t pid_ = -1;
};

// A port of the loopback address for a daemon that cannot bind to port 0. The kernel gives out ports in turn,
// so one that is free now stays free for long enough.
int free_port();

}  // namespace volplugin
