// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {
namespace {

bool confirmed(const Context& context) {
  if (context.line().has("yes") || !context.streams().in_is_terminal) return true;
  context.streams().err << "Remove the record? [y/N] " << std::flush;
  std::string answer;
  std::getline(context.streams().in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Result<> mount_force_remove(Context& context) {
  const auto id = TRY(context.volume());
  auto* const volmaster = TRY(context.volmaster());
  // Only to name the holder. A record that cannot be read is one more reason to remove it.
  const auto mount = volmaster->get_mount(context.op(), id);
  if (!mount && mount.error().code != Code::corrupt) return mount.error();
  const std::string holder = mount ? fmt::format("node {}", (*mount)->value.node.str()) : "its holder";
  context.warn(
      fmt::format("nothing is unmounted: {} may still write to {}, and a second node that mounts it then "
                  "damages its filesystem; make sure that {} is down",
                  holder, id.name(), holder));
  if (!confirmed(context))
    return make_error(Code::cancelled, "not confirmed, nothing was changed; --yes does it without asking");
  TRY(volmaster->forget_mount(context.op(), id));
  context.confirm(fmt::format("forgot the mount of {}", id.name()));
  return {};
}

}  // namespace volplugin::cli
