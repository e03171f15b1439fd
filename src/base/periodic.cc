// SPDX-License-Identifier: Apache-2.0
#include "base/periodic.h"

#include <condition_variable>
#include <mutex>

#include <pthread.h>

namespace volplugin {

Periodic::Periodic(std::string name, std::chrono::milliseconds interval,
                   std::function<void(std::stop_token)> step)
    : thread_([name = std::move(name), interval, step = std::move(step)](std::stop_token stop) {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        std::mutex mutex;
        std::condition_variable_any woken;
        while (!stop.stop_requested()) {
          step(stop);
          std::unique_lock lock(mutex);
          woken.wait_for(lock, stop, interval, [] { return false; });
        }
      }) {}

}  // namespace volplugin
