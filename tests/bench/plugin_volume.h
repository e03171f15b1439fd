// SPDX-License-Identifier: Apache-2.0
// The four steps of a volume's life as dockerd asks for them.
#pragma once

#include "unix_http.h"

#include <string>

namespace volplugin::bench {

class PluginVolumes {
 public:
  // `connection`: to the plugin socket.
  explicit PluginVolumes(UnixHttp connection) : connection_(std::move(connection)) {}

  // `name` is "tenant/volume".
  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void remove(const std::string& name);

 private:
  void call(const std::string& method, const std::string& body);
  UnixHttp connection_;
};

}  // namespace volplugin::bench
