// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"
#include "cli/progress.h"

namespace volplugin::cli {
namespace {

Result<std::map<std::string, std::string>> read_options(const Line& line) {
  std::map<std::string, std::string> options;
  const auto given = line.flags.find("opt");
  if (given == line.flags.end()) return options;
  for (const std::string& text : given->second) {
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0)
      return make_error(Code::invalid_argument,
                        fmt::format("--opt '{}' is not of the form key=value", model::printable(text)));
    const std::string key = text.substr(0, equals);
    if (!options.try_emplace(key, text.substr(equals + 1)).second)
      return make_error(Code::invalid_argument,
                        fmt::format("--opt '{}' is given more than once", model::printable(key)));
  }
  // Checked here too, so that a typing error is found without a volmaster.
  TRY(model::parse_driver_options(options));
  return options;
}

}  // namespace

Result<> volume_create(Context& context) {
  service::CreateVolume request{TRY(context.volume()), TRY(read_options(context.line())), std::nullopt};
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
