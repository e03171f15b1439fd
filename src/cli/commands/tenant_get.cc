// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> tenant_get(Context& context) {
  const auto name = TRY(context.tenant());
  auto* const volmaster = TRY(context.volmaster());
  const auto record = TRY(volmaster->get_tenant(context.op(), name));
  // Revision 0 is not written: without -o json this is the document as it was uploaded.
  const bool whole = context.asked_format() == Format::json;
  context.print(format_json(record->value, whole ? record->revision : 0));
  return {};
}

}  // namespace volplugin::cli
