// SPDX-License-Identifier: Apache-2.0
#include "node/task_loop.h"

#include <condition_variable>

#include <pthread.h>

namespace volplugin::node {
namespace {

constexpr Millis kPollWait{25'000};   // below usual proxy and NAT timeouts
constexpr Millis kPollSlack{10'000};  // for the answer to come back
constexpr Millis kReportTimeout{30'000};
constexpr Millis kLastReportTimeout{3'000};  // when the agent is ending
constexpr Millis kFirstPause{100};           // volmaster cannot be reached

}  // namespace

struct TaskLoop::Source {
  service::Volmaster& volmaster;
  std::mutex polling;  // one poll per node at a time: the idle threads queue here
  Millis pause{kFirstPause};
};

TaskLoop::TaskLoop(Agent& agent, const std::vector<service::Volmaster*>& volmasters, const Clock& clock)
    : agent_(agent), clock_(clock) {
  for (auto* const volmaster : volmasters) {
    Source& source = *sources_.emplace_back(std::make_unique<Source>(*volmaster));
    for (int i = 0; i < kParallel; ++i)
      threads_.emplace_back([this, &source, i](const std::stop_token& stop) {
        pthread_setname_np(pthread_self(), fmt::format("agent-task-{}", i).c_str());
        run(stop, source);
      });
  }
}

// All at once: each thread's own end would wait for its turn to poll, which another one holds.
TaskLoop::~TaskLoop() {
  for (auto& thread : threads_) thread.request_stop();
}

void TaskLoop::run(const std::stop_token& stop, Source& source) {
  while (!stop.stop_requested()) {
    const auto task = fetch(stop, source);
    if (!task) continue;
    // Told to end, the agent undoes what it has begun instead of waiting for it.
    const Op op(clock_, task->remaining, task->id, "volmaster", stop);
    const auto result = agent_.run_task(op, *task);
    // Not delivered: volmaster's record says that the work is pending, and recovery asks again.
    const Op report(clock_, stop.stop_requested() ? kLastReportTimeout : kReportTimeout, task->id, "agent");
    (void)source.volmaster.finish_task(report, agent_.name(), result).has_value();
  }
}

std::optional<service::Task> TaskLoop::fetch(const std::stop_token& stop, Source& source) {
  const std::lock_guard turn(source.polling);
  // A node that asks for work counts as connected, so it first has to know what it may be asked for.
  while (!stop.stop_requested() && !agent_.knows_volumes()) clock_.pause(kFirstPause, stop);
  if (stop.stop_requested()) return std::nullopt;
  const Op op(clock_, kPollWait + kPollSlack, make_request_id(), "agent", stop);
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<Result<std::optional<service::Task>>> answer;
  source.volmaster.next_task(op, agent_.name(), kPollWait, [&](Result<std::optional<service::Task>> got) {
    const std::lock_guard lock(mutex);
    answer = std::move(got);
    arrived.notify_one();
  });
  std::unique_lock lock(mutex);
  arrived.wait(lock, [&] { return answer.has_value(); });
  if (*answer) {
    source.pause = kFirstPause;
    return **answer;
  }
  lock.unlock();
  clock_.pause(source.pause, stop);
  source.pause = std::min(source.pause * 2, kLongestPause);
  return std::nullopt;
}

}  // namespace volplugin::node
