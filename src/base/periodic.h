// SPDX-License-Identifier: Apache-2.0
// Periodic: the one driver for loops that are written as steps. Calls `step` at once and then every
// `interval` on a thread of its own, until destroyed (which waits for a running step).
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace volplugin {

class Periodic {
 public:
  // `name`: of the thread, at most 15 characters. The token stops when the object is being destroyed.
  Periodic(std::string name, std::chrono::milliseconds interval, std::function<void(std::stop_token)> step);

 private:
  std::jthread thread_;
};

}  // namespace volplugin
