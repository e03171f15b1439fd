// SPDX-License-Identifier: Apache-2.0
#include "plugin_volume.h"

#include "require.h"

namespace volplugin::bench {
namespace {

constexpr std::string_view kMountId = "6f1d2c7b0a9e4f53b8c1d7e2a4960f3355e0c2f7b18d4a6e9c3b5f7a1d2e4c60";

std::string mount_body(const std::string& name) {
  return fmt::format("{{\"Name\":\"{}\",\"ID\":\"{}\"}}\n", name, kMountId);
}

}  // namespace

void PluginVolumes::call(const std::string& method, const std::string& body) {
  if (!connection_ || !connection_->kept_alive()) {
    auto connection = UnixHttp::connect(socket_);
    if (!connection) give_up("nobody listens on " + socket_);
    connection_.emplace(std::move(*connection));
  }
  const std::string answer = connection_->post("/VolumeDriver." + method, body);
  if (!answer.contains("\"Err\":\"\"")) give_up(fmt::format("{} {}: {}", method, body, answer));
}

void PluginVolumes::create(const std::string& name) {
  call("Create", fmt::format("{{\"Name\":\"{}\",\"Opts\":{}}}\n", name, options_));
}

void PluginVolumes::mount(const std::string& name) {
  call("Mount", mount_body(name));
}

void PluginVolumes::unmount(const std::string& name) {
  call("Unmount", mount_body(name));
}

void PluginVolumes::remove(const std::string& name) {
  call("Remove", fmt::format("{{\"Name\":\"{}\"}}\n", name));
}

}  // namespace volplugin::bench
