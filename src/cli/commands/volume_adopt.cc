// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/driver_options.h"
#include "cli/commands/handlers.h"
#include "cli/progress.h"
#include "model/size.h"

namespace volplugin::cli {

Result<> volume_adopt(Context& context) {
  const Line& line = context.line();
  service::AdoptVolume request{TRY(context.volume()), TRY(read_driver_options(line))};
  if (line.has("layout")) request.layout = TRY_CTX(model::parse_layout(line.value("layout")), "--layout");
  auto* const volmaster = TRY(context.volmaster());
  if (line.has("yes")) {
    request.confirmed = service::Confirmed::yes;
    context.warn(
        fmt::format("if another volplugin still has a volume with the image '{}', both may write to it, "
                    "and its data is lost",
                    request.id.image()));
  }
  const auto adopted = [&] {
    const Progress progress(context, fmt::format("adopting {}", request.id.name()));
    return volmaster->adopt_volume(context.op(), request);
  }();
  if (!adopted) return adopted.error();
  const model::Volume& volume = (*adopted)->value;
  if (context.asked_format() == Format::json) {
    context.print(format_json(volume, (*adopted)->revision));
    return {};
  }
  context.confirm(request.id.name());
  if (!context.quiet())
    context.streams().err << fmt::format(
        "{} of {}; containers get {}\n", volume.filesystem_type, model::format_size(volume.size),
        volume.layout == model::Layout::root ? "the whole file system" : "its directory 'data'");
  return {};
}

}  // namespace volplugin::cli
