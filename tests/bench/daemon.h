// SPDX-License-Identifier: Apache-2.0
// `volplugin --standalone` as a child of the benchmark, with everything it keeps below one directory.
// Dies with the benchmark.
#pragma once

#include "samples.h"

#include <string>
#include <vector>

#include <sys/types.h>

namespace volplugin::bench {

struct Memory {
  double resident_mib = 0;   // VmRSS
  double anonymous_mib = 0;  // RssAnon: without the pages of the program file itself
};

class Daemon {
 public:
  // `program`: the path of volplugin. Returns when it serves Docker and the API.
  Daemon(const std::string& program, const std::string& directory,
         const std::vector<std::string>& flags = {});
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();  // TERM, and waits

  static std::string store_in(const std::string& directory) { return directory + "/data/volplugin.db"; }
  const std::string& plugin_socket() const { return plugin_socket_; }
  const std::string& api_socket() const { return api_socket_; }
  MilliSeconds start_up() const { return start_up_; }  // from fork to the first answers of both sockets
  pid_t pid() const { return pid_; }
  Memory memory() const;

 private:
  std::string plugin_socket_;
  std::string api_socket_;
  pid_t pid_ = -1;
  MilliSeconds start_up_{};
};

}  // namespace volplugin::bench
