// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

#include <fmt/ranges.h>

namespace volplugin::cli {
namespace {

Row cells(const model::Node& node) {
  return {node.name.str(),
          node.version,
          node.lost ? "lost" : "ready",
          node.connected ? "yes" : "no",
          fmt::format("{}", fmt::join(node.backends, ",")),
          format_rfc3339(node.started_at)};
}

}  // namespace

Result<> node_list(Context& context) {
  const View<model::Node> view{{"NAME", "VERSION", "STATE", "CONNECTED", "BACKENDS", "STARTED"},
                               cells,
                               [](const model::Node& node) { return node.name.str(); }};
  return print_list(context, TRY(list_all_pages(context, &service::Volmaster::list_nodes)), view);
}

}  // namespace volplugin::cli
