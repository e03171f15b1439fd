// SPDX-License-Identifier: Apache-2.0
// `volplugin --standalone` as a child of the benchmark, with everything it keeps below one directory.
// Dies with the benchmark.
#pragma once

#include "child.h"
#include "samples.h"

#include <memory>
#include <string>
#include <vector>

namespace volplugin::bench {

class Daemon {
 public:
  // `program`: the path of volplugin. Returns when it serves Docker and the API.
  Daemon(const std::string& program, const std::string& directory,
         const std::vector<std::string>& flags = {});

  static std::string store_in(const std::string& directory) { return directory + "/data/volplugin.db"; }
  const std::string& plugin_socket() const { return plugin_socket_; }
  const std::string& api_socket() const { return api_socket_; }
  MilliSeconds start_up() const { return start_up_; }  // from fork to the first answers of both sockets
  pid_t pid() const { return child_->pid(); }
  Memory memory() const { return child_->memory(); }

 private:
  std::string plugin_socket_;
  std::string api_socket_;
  std::unique_ptr<Child> child_;
  MilliSeconds start_up_{};
};

}  // namespace volplugin::bench
