// SPDX-License-Identifier: Apache-2.0
#include "master.h"

namespace volplugin::sim {
namespace {

executor::Backends backends_of(Storage& storage, Gate& gate, Process& process, const std::string& host) {
  executor::Backends backends;
  backends.emplace("sim", std::make_unique<ProcessBackend>(storage, gate, process, host));
  return backends;
}

control::Settings settings() {
  control::Settings settings{{"sim", {{"sim", "pool"}}}, std::nullopt, "sim"};
  settings.alone = false;
  return settings;
}

}  // namespace

Master::Master(SimStore& store, Storage& storage, Gate& gate, const Clock& clock, const std::string& name)
    : process{name},
      kernel{name, {}, {}, {}},
      store_(store, gate, process),
      catalog_(std::move(*catalog::Catalog::open(Op(clock, Millis(10'000), "sim", name), store_))),
      backends_(backends_of(storage, gate, process, name)),
      filesystems_(storage, gate, process, kernel),
      executor_(backends_, filesystems_, "/mounts"),
      tasks_(clock),
      control({*catalog_, backends_, executor_, tasks_, clock}, settings()) {}

}  // namespace volplugin::sim
