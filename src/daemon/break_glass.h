// SPDX-License-Identifier: Apache-2.0
// The control plane on a store with nothing around it: for `volcli --etcd` when no volmaster runs. It has
// no agents, no backends and no recovery, and serves nobody.
#pragma once

#include "base/op.h"
#include "daemon/stores.h"
#include "service/volmaster.h"

#include <memory>

namespace volplugin::daemon {

// Reads all records; blocks until then. What would need storage work must not be asked of it: it is refused,
// but a record that asks for it would be left. Safe beside volmasters that run on the same store. `clock`
// must outlive it. Errors: those of opening the store and of reading it.
Result<std::shared_ptr<service::Volmaster>> open_break_glass(const Op& op, const StoreSource& source,
                                                             const Clock& clock);

}  // namespace volplugin::daemon
