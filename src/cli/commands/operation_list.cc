// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {
namespace {

Row cells(const model::Operation& operation) {
  return {operation.id,
          operation.kind,
          operation.volume,
          operation.state,
          format_rfc3339(operation.since),
          model::printable(operation.message)};
}

}  // namespace

Result<> operation_list(Context& context) {
  const View<model::Operation> view{{"ID", "KIND", "VOLUME", "STATE", "SINCE", "MESSAGE"},
                                    cells,
                                    [](const model::Operation& operation) { return operation.id; }};
  auto* const volmaster = TRY(context.volmaster());
  return print_list(context, TRY(volmaster->list_operations(context.op())), view);
}

}  // namespace volplugin::cli
