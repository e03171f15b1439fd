// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {
namespace {

#ifdef VOLPLUGIN_VERSION  // defined by the build
constexpr std::string_view kVersion = VOLPLUGIN_VERSION;
#else
constexpr std::string_view kVersion = "0.1.0";
#endif

constexpr Millis kPatience{5000};  // volmaster's answer is a bonus

Result<std::string> volmaster_version(Context& context) {
  auto* const volmaster = TRY(context.volmaster());
  return TRY(volmaster->health(context.op().with_timeout(kPatience))).version;
}

}  // namespace

std::string version_line() {
  return fmt::format("volcli {}", kVersion);
}

Result<> version(Context& context) {
  const auto other = volmaster_version(context);
  if (context.asked_format() == Format::json) {
    json::Writer writer(2);
    writer.begin_object().field("volcli", kVersion);
    if (other) writer.field("volmaster", *other);
    context.print(writer.end_object().take() + "\n");
    return {};
  }
  context.print(fmt::format("{}\n", version_line()));
  if (other)
    context.print(fmt::format("volmaster {}\n", *other));
  else
    context.streams().err << fmt::format("volmaster at {} gave no answer: {}\n",
                                         fmt::join(context.target().masters, ", "), other.error().message);
  return {};
}

}  // namespace volplugin::cli
