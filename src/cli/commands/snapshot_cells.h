// SPDX-License-Identifier: Apache-2.0
// The columns that `snapshot list` and `snapshot list-all` share.
#pragma once

#include "cli/output.h"
#include "model/size.h"

namespace volplugin::cli {

inline View<model::Snapshot> snapshot_view() {
  return {{"NAME", "SIZE", "PHASE", "TAKEN"},
          [](const model::Snapshot& snapshot) -> Row {
            return {snapshot.id.text(), model::format_size(snapshot.size),
                    std::string(to_string(snapshot.phase)), format_rfc3339(snapshot.taken_at)};
          },
          [](const model::Snapshot& snapshot) { return snapshot.id.text(); }};
}

}  // namespace volplugin::cli
