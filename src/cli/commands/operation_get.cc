// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> operation_get(Context& context) {
  auto* const volmaster = TRY(context.volmaster());
  const auto operation = TRY(volmaster->get_operation(context.op(), context.line().words.front()));
  json::Writer writer(2);
  wire::write(writer, operation);
  context.print(writer.take() + "\n");
  return {};
}

}  // namespace volplugin::cli
