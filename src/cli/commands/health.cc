// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {

Result<> health(Context& context) {
  auto* const volmaster = TRY(context.volmaster());
  const auto found = TRY(volmaster->health(context.op()));
  if (context.asked_format() == Format::json) {
    json::Writer writer(2);
    writer.begin_object().field("ok", found.ok).field("store", found.store).field("version", found.version);
    context.print(writer.end_object().take() + "\n");
  } else {
    context.print(
        fmt::format("volmaster {} {}\nstore {}\n", found.version, found.ok ? "ok" : "not ok", found.store));
  }
  if (!found.ok)
    return make_error(Code::unavailable,
                      fmt::format("volmaster runs but cannot work; its store: {}", found.store));
  return {};
}

}  // namespace volplugin::cli
