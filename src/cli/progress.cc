// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include "cli/context.h"

#include <fmt/format.h>
#include <pthread.h>

namespace volplugin::cli {

Progress::Progress(const Context& context, std::string what, Millis interval)
    : err_(context.streams().err), what_(std::move(what)), interval_(interval) {
  if (!context.streams().err_is_terminal || context.quiet()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { show(stop); });
}

Progress::~Progress() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Progress::show(const std::stop_token& stop) {
  pthread_setname_np(pthread_self(), "volcli-progress");
  const SteadyTime start = system_clock().now();
  bool shown = false;
  std::unique_lock lock(mutex_);
  while (!never_.wait_for(lock, stop, interval_, [&] { return stop.stop_requested(); })) {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(system_clock().now() - start);
    err_ << fmt::format("\r{} ... {} s", what_, waited.count()) << std::flush;
    shown = true;
  }
  if (shown) err_ << "\r\x1b[K" << std::flush;  // back to the start of the line, which is erased
}

}  // namespace volplugin::cli
