// SPDX-License-Identifier: Apache-2.0
// TaskQueue: storage work for nodes whose agents fetch it over their own connection (an agent listens on
// no port). A caller's make() or remove() waits until the agent tells the result, or its Op ends.
//
//   queued --agent polls--> handed out --agent reports--> done
//
// Nothing here is durable: the volume's record says what is pending, and recovery asks again.
// Thread-safe. Callbacks run on the thread that brought the work or on the one that calls expire().
#pragma once

#include "service/volmaster.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace volplugin::control {

class TaskQueue {
 public:
  static constexpr size_t kMaxPerNode = 1024;
  // A node that has not polled for this long is not connected.
  static constexpr Millis kPresence{40'000};
  // After a start of volmaster its nodes need a moment to find it again.
  static constexpr Millis kArrival{3'000};

  explicit TaskQueue(const Clock& clock);
  ~TaskQueue();

  // Work of one node; must not outlive the queue.
  std::unique_ptr<service::StorageWork> node(const model::NodeName& name);

  // Calls back exactly once: with a task, with nullopt after `wait`, or with cancelled when a newer poll
  // of the same node replaces this one.
  void next(const model::NodeName& name, Millis wait, service::Volmaster::TaskCallback callback);
  Result<> finish(const model::NodeName& name, const service::TaskResult& result);

  // Ends polls that waited long enough; call about once a second.
  void expire();
  // Ends all polls; call before the HTTP server stops.
  void close();
  bool connected(const model::NodeName& name) const;
  std::vector<std::string> connected_nodes() const;

 private:
  struct Pending;
  struct Node;
  class NodeWork;
  Result<service::Made> run(const Op& op, const model::NodeName& name, service::TaskKind kind,
                            const model::Volume& volume);
  Node& node_locked(const std::string& name);
  static service::Task hand_out(Node& node, const Clock& clock);

  static bool present(const Node& node, const Clock& clock);

  const Clock& clock_;
  const SteadyTime started_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;  // a task is finished, a node came
  std::map<std::string, std::unique_ptr<Node>> nodes_;
};

}  // namespace volplugin::control
