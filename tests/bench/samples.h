// SPDX-License-Identifier: Apache-2.0
// Measured durations and how they are printed.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace volplugin::bench {

using MilliSeconds = std::chrono::duration<double, std::milli>;

// How long `work` took.
template <class Work>
MilliSeconds time_of(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::steady_clock::now() - start;
}

// Durations of the same thing, once per round. Requires at least one for the questions.
class Samples {
 public:
  void add(MilliSeconds one) { values_.push_back(one.count()); }
  size_t count() const { return values_.size(); }
  double median() const { return quantile(0.5); }
  double quantile(double share) const;  // 0..1, of sorted values, nearest rank
  std::string quartiles() const;        // "12.3-14.5"

 private:
  std::vector<double> values_;
};

double load();  // the 1-minute load average

// "cores 2, Linux 6.18, load 0.12 0.30 0.40": printed with every table.
std::string machine();

}  // namespace volplugin::bench
