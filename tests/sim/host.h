// SPDX-License-Identifier: Apache-2.0
// Host: a machine with its kernel, its Docker engine with containers, and the agent. AgentLife: one life of
// the agent; a restarted one finds the journal as the killed one had left it.
#pragma once

#include "network.h"
#include "node/agent.h"
#include "sim_storage.h"

namespace volplugin::sim {

struct Host;

class AgentLife {
 public:
  AgentLife(Host& host, Storage& storage, Gate& gate, Courier& courier, const Clock& clock,
            const std::string& directory);
  ~AgentLife();  // removes its directory
  AgentLife(const AgentLife&) = delete;
  AgentLife& operator=(const AgentLife&) = delete;

  Process process;
  const std::string directory;

 private:
  Network network_;
  executor::Backends backends_;
  ProcessFilesystems filesystems_;
  executor::Executor executor_;

 public:
  std::unique_ptr<node::Agent> agent;
};

struct Host {
  std::string name;
  Kernel kernel;
  Link link{};
  bool down = false;    // without power
  bool frozen = false;  // its processes do not run; what the kernel has under way still reaches the storage
  int boots = 1;
  std::shared_ptr<AgentLife> life{};
};

}  // namespace volplugin::sim
