// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> tenant_delete(Context& context) {
  const auto name = TRY(context.tenant());
  auto* const volmaster = TRY(context.volmaster());
  TRY(volmaster->delete_tenant(context.op(), name, std::nullopt));
  context.confirm(fmt::format("\"{}\" removed!", name.str()));  // scripts know this line
  return {};
}

}  // namespace volplugin::cli
