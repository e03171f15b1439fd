// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> volume_force_remove(Context& context) {
  const auto id = TRY(context.volume());
  auto* const volmaster = TRY(context.volmaster());
  TRY(volmaster->remove_volume(context.op(), id, service::RemoveMode::forget_record));
  context.warn(fmt::format("only the record of {} is gone; data that exists stays in its pool as '{}'",
                           id.name(), id.image()));
  context.confirm(fmt::format("forgot {}", id.name()));
  return {};
}

}  // namespace volplugin::cli
