// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/contract/backend_contract.h"

namespace volplugin::backend {

// Thick and thin volumes on the two disks named in VOLPLUGIN_TEST_DISKS ("/dev/vdb,/dev/vdc"), whose content
// is lost. None without it: the lab runs them, where the kernel has device-mapper (tests/lab).
std::vector<BackendCase> lvm_environments();

}  // namespace volplugin::backend
