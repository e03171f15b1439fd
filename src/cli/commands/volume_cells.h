// SPDX-License-Identifier: Apache-2.0
// The columns that `volume list` and `volume list-all` share.
#pragma once

#include "cli/output.h"
#include "model/size.h"

namespace volplugin::cli {

inline Row volume_header() {
  return {"NAME", "SIZE", "PHASE", "BACKEND", "POOL", "FILESYSTEM", "NODE"};
}

inline Row volume_cells(std::string name, const model::Volume& volume) {
  return {std::move(name),
          model::format_size(volume.size),
          std::string(to_string(volume.phase)),
          volume.options.backend,
          volume.options.pool,
          volume.options.filesystem,
          volume.node ? volume.node->str() : ""};
}

}  // namespace volplugin::cli
