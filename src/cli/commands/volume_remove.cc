// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/progress.h"

namespace volplugin::cli {

Result<> volume_remove(Context& context) {
  const auto id = TRY(context.volume());
  auto* const volmaster = TRY(context.volmaster());
  const auto removed = [&] {
    const Progress progress(context, fmt::format("removing {}", id.name()));
    return volmaster->remove_volume(context.op(), id, service::RemoveMode::delete_data);
  }();
  if (!removed) return removed.error();
  context.confirm(fmt::format("removed {}", id.name()));
  return {};
}

}  // namespace volplugin::cli
