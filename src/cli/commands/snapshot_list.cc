// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/commands/snapshot_cells.h"

namespace volplugin::cli {

Result<> snapshot_list(Context& context) {
  const service::ListQuery query{.tenant = "", .volume = TRY(context.volume()).name(), .after = ""};
  return print_list(context, TRY(list_all_pages(context, &service::Volmaster::list_snapshots, query)),
                    snapshot_view());
}

}  // namespace volplugin::cli
