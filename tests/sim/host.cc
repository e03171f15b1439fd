// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include <filesystem>

namespace volplugin::sim {
namespace {

executor::Backends backends_of(Storage& storage, Gate& gate, Process& process, const std::string& host) {
  executor::Backends backends;
  backends.emplace("sim", std::make_unique<ProcessBackend>(storage, gate, process, host));
  return backends;
}

}  // namespace

AgentLife::AgentLife(Host& host, Storage& storage, Gate& gate, Courier& courier, const Clock& clock,
                     const std::string& its_directory)
    : process{"agent of " + host.name},
      directory(its_directory),
      network_(courier, process, host.link),
      backends_(backends_of(storage, gate, process, host.name)),
      filesystems_(storage, gate, process, host.kernel),
      executor_(backends_, filesystems_, "/mounts") {
  node::AgentSettings settings{*model::NodeTag::parse(host.name),
                               directory,
                               host.name + "-boot-" + std::to_string(host.boots),
                               "sim",
                               {"sim"}};
  settings.host.host = "id-of-" + host.name;
  agent = std::move(*node::Agent::open({network_, executor_, filesystems_, clock, [](const std::string&) {}},
                                       std::move(settings)));
}

AgentLife::~AgentLife() {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

}  // namespace volplugin::sim
