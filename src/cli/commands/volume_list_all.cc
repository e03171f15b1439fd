// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/commands/volume_cells.h"

namespace volplugin::cli {

Result<> volume_list_all(Context& context) {
  const View<model::Volume> view{
      volume_header(), [](const model::Volume& volume) { return volume_cells(volume.id.name(), volume); },
      [](const model::Volume& volume) { return volume.id.name(); }};
  return print_list(context, TRY(list_all_pages(context, &service::Volmaster::list_volumes)), view);
}

}  // namespace volplugin::cli
