// SPDX-License-Identifier: Apache-2.0
// Volume records without volumes: written with the product's own codec into a store that no daemon has
// open. Nothing is made on disk besides the records.
#pragma once

#include <string>

namespace volplugin::bench {

// `count` volumes in the `ready` state, of ten tenants, in the store at `path` (made if missing). Of each
// the store also gets the history a create leaves: first `creating`, then `ready`.
void fill_store(const std::string& path, int count);

}  // namespace volplugin::bench
