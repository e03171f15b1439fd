// SPDX-License-Identifier: Apache-2.0
#include "control/task_queue.h"

#include <algorithm>

namespace volplugin::control {

using Callback = service::Volmaster::TaskCallback;

struct TaskQueue::Pending {
  service::Task task;
  SteadyTime deadline{};
  bool handed_out = false;
  std::optional<service::TaskResult> result;
};

struct TaskQueue::Node {
  std::map<std::string, Pending> pending;  // by task id; removed by the waiting caller
  std::deque<std::string> queued;          // ids not handed out yet
  Callback poll;                           // the waiting poll, if any
  SteadyTime poll_until{};
  std::optional<SteadyTime> last_seen;
};

class TaskQueue::NodeWork final : public service::StorageWork {
 public:
  NodeWork(TaskQueue& queue, model::NodeName name) : queue_(queue), name_(std::move(name)) {}
  Result<service::Made> make(const Op& op, const model::Volume& volume) override {
    return queue_.run(op, name_, service::TaskKind::make, volume);
  }
  Result<> remove(const Op& op, const model::Volume& volume) override {
    TRY(queue_.run(op, name_, service::TaskKind::remove, volume));
    return {};
  }

 private:
  TaskQueue& queue_;
  model::NodeName name_;
};

TaskQueue::TaskQueue(const Clock& clock) : clock_(clock), started_(clock.now()) {}
TaskQueue::~TaskQueue() = default;

TaskQueue::Node& TaskQueue::node_locked(const std::string& name) {
  auto& slot = nodes_[name];
  if (!slot) slot = std::make_unique<Node>();
  return *slot;
}

bool TaskQueue::present(const Node& node, const Clock& clock) {
  return node.poll || (node.last_seen && clock.now() - *node.last_seen < kPresence);
}

std::unique_ptr<service::StorageWork> TaskQueue::node(const model::NodeName& name) {
  return std::make_unique<NodeWork>(*this, name);
}

service::Task TaskQueue::hand_out(Node& node, const Clock& clock) {
  Pending& pending = node.pending.at(node.queued.front());
  node.queued.pop_front();
  pending.handed_out = true;
  service::Task task = pending.task;
  task.remaining = std::max(Millis(0), std::chrono::duration_cast<Millis>(pending.deadline - clock.now()));
  return task;
}

Result<service::Made> TaskQueue::run(const Op& op, const model::NodeName& name, service::TaskKind kind,
                                     const model::Volume& volume) {
  TRY(op.check("handing work to a node"));
  std::unique_lock lock(mutex_);
  Node& node = node_locked(name.str());
  if (!present(node, clock_) && clock_.now() - started_ < kArrival)
    changed_.wait_for(lock, op.stop(), std::min(kArrival, op.remaining()),
                      [&] { return present(node, clock_); });
  if (!present(node, clock_))
    return make_error(Code::unavailable, fmt::format("node '{}' is not connected: start volplugin there, or "
                                                     "look at its log",
                                                     name.str()));
  if (node.pending.size() >= kMaxPerNode)
    return make_error(Code::resource_exhausted,
                      fmt::format("node '{}' has {} operations waiting", name.str(), node.pending.size()));
  const std::string id = make_request_id();
  Pending& mine =
      node.pending.emplace(id, Pending{{id, kind, volume, op.remaining()}, op.deadline()}).first->second;
  node.queued.push_back(id);
  if (node.poll) {
    const Callback poll = std::exchange(node.poll, nullptr);
    service::Task task = hand_out(node, clock_);
    lock.unlock();
    poll(std::optional<service::Task>(std::move(task)));
    lock.lock();
  }
  changed_.wait_for(lock, op.stop(), op.remaining(), [&] { return mine.result.has_value(); });
  const auto result = mine.result;
  const bool handed_out = mine.handed_out;
  std::erase(node.queued, id);
  node.pending.erase(id);
  lock.unlock();
  if (!result) {
    Error error =
        make_error(Code::deadline_exceeded, fmt::format("node '{}' did not finish in time", name.str()),
                   handed_out ? Effect::unknown : Effect::none);
    if (op.stop().stop_requested()) error.code = Code::cancelled;
    return error;
  }
  if (result->error) return *result->error;
  return result->made;
}

void TaskQueue::next(const model::NodeName& name, Millis wait, Callback callback) {
  std::unique_lock lock(mutex_);
  Node& node = node_locked(name.str());
  node.last_seen = clock_.now();
  changed_.notify_all();
  const Callback replaced = std::exchange(node.poll, nullptr);
  std::optional<service::Task> task;
  if (!node.queued.empty()) {
    task = hand_out(node, clock_);
  } else {
    node.poll = callback;
    node.poll_until = clock_.now() + wait;
  }
  lock.unlock();
  if (replaced) replaced(make_error(Code::cancelled, "a newer request of the same node came"));
  if (task) callback(std::move(task));
}

Result<> TaskQueue::finish(const model::NodeName& name, const service::TaskResult& result) {
  const std::lock_guard lock(mutex_);
  Node& node = node_locked(name.str());
  node.last_seen = clock_.now();
  const auto found = node.pending.find(result.id);
  if (found == node.pending.end())
    return make_error(Code::not_found, fmt::format("nobody waits for task '{}' any more", result.id));
  found->second.result = result;
  changed_.notify_all();
  return {};
}

void TaskQueue::expire() {
  std::vector<Callback> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, node] : nodes_) {
      if (!node->poll || clock_.now() < node->poll_until) continue;
      ended.push_back(std::exchange(node->poll, nullptr));
      node->last_seen = clock_.now();
    }
  }
  for (const auto& callback : ended) callback(std::optional<service::Task>());
}

void TaskQueue::close() {
  std::vector<Callback> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, node] : nodes_)
      if (node->poll) ended.push_back(std::exchange(node->poll, nullptr));
  }
  for (const auto& callback : ended) callback(make_error(Code::unavailable, "volmaster is stopping"));
}

bool TaskQueue::connected(const model::NodeName& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = nodes_.find(name.str());
  if (found == nodes_.end()) return false;
  return present(*found->second, clock_);
}

std::vector<std::string> TaskQueue::connected_nodes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes_)
    if (present(*node, clock_)) names.push_back(name);
  return names;
}

}  // namespace volplugin::control
