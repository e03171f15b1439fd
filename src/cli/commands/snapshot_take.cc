// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/progress.h"

namespace volplugin::cli {

Result<> snapshot_take(Context& context) {
  service::TakeSnapshot request{TRY(context.volume())};
  if (context.line().has("name"))
    request.name = TRY_CTX(model::SnapshotTag::parse(context.line().value("name")), "--name");
  auto* const volmaster = TRY(context.volmaster());
  const auto taken = [&] {
    const Progress progress(context, fmt::format("taking a snapshot of {}", request.volume.name()));
    return volmaster->take_snapshot(context.op(), request);
  }();
  if (!taken) return taken.error();
  if (context.asked_format() == Format::json) {
    context.print(format_json((*taken)->value, (*taken)->revision));
    return {};
  }
  context.confirm((*taken)->value.id.text());
  return {};
}

}  // namespace volplugin::cli
