// SPDX-License-Identifier: Apache-2.0
// A real Ceph of one machine for tests, in a directory of its own: a monitor and an OSD that keeps all in
// memory, so a killed OSD has lost everything. Its Python twin, which can do more, is tests/support/ceph.py.
#pragma once

#include "os/process.h"
#include "os/scratch.h"
#include "tests/contract/child_process.h"

#include <string>
#include <vector>

namespace volplugin::backend {

struct CephClusterSettings {
  bool manager = false;  // only a manager knows how much space there is; 0.3 s and 36 MB
  Bytes size = Bytes::gib(8);
  std::vector<std::string> extra{"osd client watch timeout = 3"};  // lines for every program's configuration
};

class CephCluster {
 public:
  // Ready in 1 to 2 s. Throws, as all functions do, when something takes too long or fails.
  explicit CephCluster(const CephClusterSettings& settings = {});
  // One that serves already, on another machine: what is said of its daemons here is nothing.
  explicit CephCluster(std::string conf);

  // kill(), pause(), resume(). A client waits for a daemon that is paused or gone.
  ChildProcess& monitor() { return monitor_; }
  ChildProcess& osd() { return osd_; }
  void start_monitor();  // after kill(): it knows what it knew

  const std::string& conf() const { return conf_; }
  // Of users made with add_user(), and of "client.admin" where the daemons are ours.
  std::string keyring(const std::string& user = "client.admin") const {
    return directory_ / ("keyrings/" + user + ".keyring");
  }

  // For images at once; the name must be new. 0.3 s.
  std::string make_pool(const std::string& name);
  void remove_pool(const std::string& name);  // with all that is in it
  // "client.<name>" may use images of that pool only. Returns the keyring's path.
  std::string add_user(const std::string& name, const std::string& pool);
  // Addresses of clients that are cut off: "127.0.0.1:0/123".
  std::vector<std::string> blocklist();

  // What the program prints.
  std::string rbd(std::vector<std::string> arguments);
  std::string ceph(std::vector<std::string> arguments);
  std::string rados(std::vector<std::string> arguments);
  // The same for what may fail or hang: deadline_exceeded then.
  Result<os::Outcome> try_rbd(std::vector<std::string> arguments, Millis timeout);

 private:
  void make_keyrings() const;
  void start(ChildProcess& daemon, const std::string& program, const std::string& name) const;

  os::ScratchDir directory_;
  std::string conf_;
  ChildProcess monitor_, osd_, manager_;  // end before the directory goes
};

// The one, with a manager, that tests share which do not disturb it: each in pools of its own. Started by
// the first of them, ended with the process. With VOLPLUGIN_TEST_CEPH that of this configuration file, which
// serves already and has none of the pools that the tests make.
CephCluster& shared_ceph();

}  // namespace volplugin::backend
