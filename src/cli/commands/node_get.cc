// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> node_get(Context& context) {
  const auto name = TRY(context.node());
  auto* const volmaster = TRY(context.volmaster());
  const auto record = TRY(volmaster->get_node(context.op(), name));
  context.print(format_json(record->value, record->revision));
  return {};
}

}  // namespace volplugin::cli
