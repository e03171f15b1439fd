// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/driver_options.h"
#include "cli/commands/handlers.h"
#include "cli/progress.h"

namespace volplugin::cli {

Result<> volume_create(Context& context) {
  service::CreateVolume request{TRY(context.volume()), TRY(read_driver_options(context.line())),
                                std::nullopt};
  if (context.line().has("node"))
    request.node = TRY_CTX(model::NodeTag::parse(context.line().value("node")), "--node");
  auto* const volmaster = TRY(context.volmaster());
  const auto outcome = [&] {
    const Progress progress(context, fmt::format("creating {}", request.id.name()));
    return volmaster->create_volume(context.op(), request);
  }();
  if (!outcome) return outcome.error();
  context.confirm(request.id.name());
  if (!outcome->created && !context.quiet())
    context.streams().err << request.id.name() << " was there already, with the same options\n";
  return {};
}

}  // namespace volplugin::cli
