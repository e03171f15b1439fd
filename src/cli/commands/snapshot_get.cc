// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> snapshot_get(Context& context) {
  const auto id = TRY(context.snapshot());
  const auto record = TRY(TRY(context.volmaster())->get_snapshot(context.op(), id));
  context.print(format_json(record->value, record->revision));
  return {};
}

}  // namespace volplugin::cli
