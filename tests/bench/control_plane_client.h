// SPDX-License-Identifier: Apache-2.0
// One client of a control plane: what agents and volcli ask, with the HTTP client that they use, on one
// kept-alive connection. An answer that is no success ends the benchmark. One thread.
#pragma once

#include "base/clock.h"
#include "http/client.h"

#include <memory>
#include <string>

namespace volplugin::bench {

class ControlPlaneClient {
 public:
  // "host:port"; does not connect.
  explicit ControlPlaneClient(const std::string& address);

  // The tenant of all volumes below.
  void put_tenant();
  // Mounts are made under this session.
  void open_session(const std::string& node, Millis ttl);
  void renew_session();

  void create(const std::string& name);
  void look_at(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void remove(const std::string& name);

  std::string get(const std::string& target) { return call("GET", target, ""); }
  bool answers(const std::string& target);  // with 200; does not end the benchmark

 private:
  std::string call(const std::string& method, const std::string& target, const std::string& body);

  const std::unique_ptr<http::Client> client_;
  const std::string now_;  // as records say it
  std::string node_;
  std::string session_;
};

}  // namespace volplugin::bench
