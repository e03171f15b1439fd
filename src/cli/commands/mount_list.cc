// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {
namespace {

Row cells(const model::Mount& mount) {
  return {mount.volume.name(), mount.node.str(),
          std::string(to_string(mount.phase)) + (mount.stale ? " (stale)" : ""),
          std::to_string(mount.uses.size()), format_rfc3339(mount.since)};
}

}  // namespace

Result<> mount_list(Context& context) {
  const View<model::Mount> view{{"VOLUME", "NODE", "PHASE", "USES", "SINCE"},
                                cells,
                                [](const model::Mount& mount) { return mount.volume.name(); }};
  return print_list(context, TRY(list_all_pages(context, &service::Volmaster::list_mounts)), view);
}

}  // namespace volplugin::cli
