// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> volume_get(Context& context) {
  const auto id = TRY(context.volume());
  auto* const volmaster = TRY(context.volmaster());
  const auto record = TRY(volmaster->get_volume(context.op(), id));
  context.print(format_json(record->value, record->revision));
  return {};
}

}  // namespace volplugin::cli
