// SPDX-License-Identifier: Apache-2.0
// TaskLoop: fetches this node's storage work from a remote volmaster and does it, several tasks at once.
// Not needed in standalone mode. Destroying it cancels running tasks, which then undo what they began.
#pragma once

#include "node/agent.h"

#include <mutex>
#include <thread>
#include <vector>

namespace volplugin::node {

class TaskLoop {
 public:
  static constexpr int kParallel = 4;  // storage work at once: enough to hide one slow mkfs

  TaskLoop(Agent& agent, service::Volmaster& volmaster, const Clock& clock);
  ~TaskLoop();

 private:
  void run(std::stop_token stop);
  std::optional<service::Task> fetch(std::stop_token stop);

  Agent& agent_;
  service::Volmaster& volmaster_;
  const Clock& clock_;
  std::mutex polling_;  // one poll per node at a time: the idle threads queue here
  std::vector<std::jthread> threads_;
};

}  // namespace volplugin::node
