// SPDX-License-Identifier: Apache-2.0
// Master: one life of a volmaster, which is a control plane on a cache of its own. Killed, it is replaced by
// a new one; the object goes when the last call inside it has returned.
#pragma once

#include "control/control_plane.h"
#include "sim_storage.h"
#include "sim_store.h"

namespace volplugin::sim {

class Master {
 public:
  // In calm times: opening its cache must not fail.
  Master(SimStore& store, Storage& storage, Gate& gate, const Clock& clock, const std::string& name);

  Process process;
  Kernel kernel;  // of the machine that it runs on: nothing is ever mounted there

 private:
  StoreAccess store_;
  std::unique_ptr<catalog::Catalog> catalog_;
  executor::Backends backends_;
  ProcessFilesystems filesystems_;
  executor::Executor executor_;
  control::TaskQueue tasks_;

 public:
  control::ControlPlane control;
};

}  // namespace volplugin::sim
