// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/contract/backend_contract.h"

namespace volplugin::backend {

// Images on a real Ceph, mapped by server processes (userspace): two hosts on this one kernel.
std::vector<BackendCase> ceph_environments();

}  // namespace volplugin::backend
