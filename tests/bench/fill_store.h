// SPDX-License-Identifier: Apache-2.0
// Volume records without volumes: written with the product's own codec. Nothing is made on disk besides the
// records.
#pragma once

#include "kv/store.h"
#include "model/records.h"

#include <string>

namespace volplugin::bench {

// Volumes by number: 3 is "tenant3/volume-00003", of ten tenants.
struct VolumeRange {
  int first = 0;
  int end = 0;  // not included
};

// A record for each, as few commits as the store takes. Several ranges may be filled at once.
void fill_store(kv::Store& store, VolumeRange range, model::Phase phase);

// `count` volumes in the `ready` state in the SQLite store at `path` (made if missing), which no daemon has
// open. Of each the store also gets the history a create leaves: first `creating`, then `ready`.
void fill_sqlite(const std::string& path, int count);

// A volume's record as it lies in the store.
std::string some_record();

}  // namespace volplugin::bench
