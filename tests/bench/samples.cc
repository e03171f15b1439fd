// SPDX-License-Identifier: Apache-2.0
#include "samples.h"

#include "require.h"

#include <algorithm>
#include <array>

#include <sys/utsname.h>
#include <unistd.h>

namespace volplugin::bench {

double Samples::quantile(double share) const {
  std::vector<double> sorted = values_;
  std::ranges::sort(sorted);
  return sorted.at(size_t(share * double(sorted.size() - 1) + 0.5));
}

std::string Samples::quartiles() const {
  return fmt::format("{:.2f}-{:.2f}", quantile(0.25), quantile(0.75));
}

double load() {
  double load = 0;
  require(::getloadavg(&load, 1) == 1, "asking for the load");
  return load;
}

std::string machine() {
  utsname kernel{};
  require(::uname(&kernel) == 0, "asking for the kernel");
  std::array<double, 3> load{};
  require(::getloadavg(load.data(), 3) == 3, "asking for the load");
  return fmt::format("{} cores, Linux {}, load {:.2f} {:.2f} {:.2f}", ::sysconf(_SC_NPROCESSORS_ONLN),
                     kernel.release, load[0], load[1], load[2]);
}

}  // namespace volplugin::bench
