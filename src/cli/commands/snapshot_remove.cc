// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/progress.h"

namespace volplugin::cli {

Result<> snapshot_remove(Context& context) {
  const auto id = TRY(context.snapshot());
  auto* const volmaster = TRY(context.volmaster());
  const auto removed = [&] {
    const Progress progress(context, fmt::format("removing {}", id.text()));
    return volmaster->remove_snapshot(context.op(), id);
  }();
  if (!removed) return removed.error();
  context.confirm(fmt::format("removed {}", id.text()));
  return {};
}

}  // namespace volplugin::cli
