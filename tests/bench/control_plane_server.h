// SPDX-License-Identifier: Apache-2.0
// volmaster's control plane on etcd, over storage that costs nothing: simulated images, and file systems that
// are not there. So what is measured is the control plane and the store.
#pragma once

#include "child.h"
#include "samples.h"

#include <memory>
#include <string>

namespace volplugin::bench {

// The child's side: serves the REST API on `address` until SIGTERM. Put together as daemon::VolmasterRole
// does for `volmaster --etcd`.
int serve_control_plane(const std::string& etcd_url, const std::string& address);

// The benchmark's side: this program again, as such a server. One thread.
class ControlPlaneServer {
 public:
  // Returns when it has loaded the records and answers.
  ControlPlaneServer(const std::string& etcd_url, const std::string& log);

  const std::string& address() const { return address_; }
  MilliSeconds start_up() const { return start_up_; }  // from fork to the first answer
  Memory memory() const { return child_->memory(); }
  double processor_ms() const { return child_->processor_ms(); }

 private:
  const std::string address_;
  std::unique_ptr<Child> child_;
  MilliSeconds start_up_{};
};

}  // namespace volplugin::bench
