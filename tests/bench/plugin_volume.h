// SPDX-License-Identifier: Apache-2.0
// The four steps of a volume's life as dockerd asks for them.
#pragma once

#include "unix_http.h"

#include <optional>
#include <string>

namespace volplugin::bench {

class PluginVolumes {
 public:
  // `socket`: the plugin's. `options`: those of Create, as JSON; volplugin deletes ephemeral volumes when
  // they are removed.
  explicit PluginVolumes(std::string socket, std::string options = R"({"ephemeral":"true"})")
      : socket_(std::move(socket)), options_(std::move(options)) {}

  // `name` is "tenant/volume" for volplugin.
  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void remove(const std::string& name);

 private:
  void call(const std::string& method, const std::string& body);
  std::string socket_;
  std::string options_;
  std::optional<UnixHttp> connection_;
};

}  // namespace volplugin::bench
