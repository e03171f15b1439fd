// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/handlers.h"

namespace volplugin::cli {
namespace {

bool answers_yes(const Context& context) {
  context.streams().err << "Remove the record? [y/N] " << std::flush;
  std::string answer;
  std::getline(context.streams().in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// Without a word from a person volmaster decides by what it knows of the holder.
Result<service::Confirmed> confirmation(const Context& context) {
  if (context.line().has("yes")) return service::Confirmed::yes;
  if (!context.streams().in_is_terminal) return service::Confirmed::no;
  if (answers_yes(context)) return service::Confirmed::yes;
  return make_error(Code::cancelled, "not confirmed, nothing was changed; --yes does it without asking");
}

}  // namespace

Result<> mount_force_remove(Context& context) {
  const auto id = TRY(context.volume());
  auto* const volmaster = TRY(context.volmaster());
  // To name the holder, and to remove nobody else's. A record that cannot be read is one more reason.
  const auto mount = volmaster->get_mount(context.op(), id);
  if (!mount && mount.error().code != Code::corrupt) return mount.error();
  const std::string holder = mount ? fmt::format("node {}", (*mount)->value.node.str()) : "its holder";
  context.warn(
      fmt::format("nothing is unmounted: {} may still write to {}, and a second node that mounts it then "
                  "damages its filesystem; make sure that {} is down",
                  holder, id.name(), holder));
  const auto claim = mount ? std::optional((*mount)->value.claim) : std::nullopt;
  TRY(volmaster->forget_mount(context.op(), {id, claim, TRY(confirmation(context))}));
  context.confirm(fmt::format("forgot the mount of {}", id.name()));
  return {};
}

}  // namespace volplugin::cli
