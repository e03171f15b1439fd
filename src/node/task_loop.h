// SPDX-License-Identifier: Apache-2.0
// TaskLoop: fetches this node's storage work from remote volmasters and does it, several tasks at once. Work
// may be asked for at any volmaster, so each is polled, and gets the results of what it handed out. They do
// not wait for each other: one that is away is asked again after 0.1 s, doubling to kLongestPause.
// Not needed in standalone mode. Destroying it cancels running tasks, which then undo what they began.
#pragma once

#include "node/agent.h"

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace volplugin::node {

class TaskLoop {
 public:
  static constexpr int kParallel = 4;  // storage work of one volmaster at once: enough to hide one slow mkfs
  static constexpr Millis kLongestPause{2'000};

  // `volmasters`: one object for each volmaster.
  TaskLoop(Agent& agent, const std::vector<service::Volmaster*>& volmasters, const Clock& clock);
  ~TaskLoop();

 private:
  struct Source;
  void run(const std::stop_token& stop, Source& source);
  std::optional<service::Task> fetch(const std::stop_token& stop, Source& source);

  Agent& agent_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::jthread> threads_;
};

}  // namespace volplugin::node
