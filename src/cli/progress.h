// SPDX-License-Identifier: Apache-2.0
// Progress: while it lives, a line on a terminal says what is being waited for and for how long. Shown
// after the first second only, and taken away at the end. Owns one thread ("volcli-progress"), joined by
// the destructor; nobody else may write to the stream meanwhile.
//   creating tenant1/test ... 12 s
#pragma once

#include "base/clock.h"

#include <condition_variable>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>

namespace volplugin::cli {

class Context;

class Progress {
 public:
  // Shows nothing when the error stream is no terminal or -q was given.
  Progress(const Context& context, std::string what, Millis interval = Millis(1000));
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void show(const std::stop_token& stop);

  std::ostream& err_;
  std::string what_;
  Millis interval_;
  std::mutex mutex_;
  std::condition_variable_any never_;  // only the stop request ends a wait early
  std::jthread thread_;
};

}  // namespace volplugin::cli
