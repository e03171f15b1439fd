// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/commands/volume_cells.h"

namespace volplugin::cli {

Result<> volume_list(Context& context) {
  const auto tenant = TRY(context.tenant());
  const auto volumes =
      TRY(list_all_pages(context, &service::Volmaster::list_volumes, {.tenant = tenant.str(), .after = ""}));
  // A deleted tenant may still have volumes; one that has neither policy nor volumes is a typing error.
  if (volumes.empty()) TRY(TRY(context.volmaster())->get_tenant(context.op(), tenant));
  const View<model::Volume> view{
      volume_header(),
      [](const model::Volume& volume) { return volume_cells(volume.id.volume.str(), volume); },
      [](const model::Volume& volume) { return volume.id.volume.str(); }};
  return print_list(context, volumes, view);
}

}  // namespace volplugin::cli
