// SPDX-License-Identifier: Apache-2.0
#include "base/faults.h"

#include <array>
#include <atomic>
#include <cstdio>

#include <unistd.h>

namespace volplugin::faults {
namespace {

constexpr std::array<std::string_view, 25> kNames{
    "create_recorded",    "create_image_made",     "create_attached",     "create_formatted",
    "create_detached",    "create_acknowledged",   "adopt_recorded",      "adopt_image_taken",
    "adopt_acknowledged", "mount_recorded",        "mount_attached",      "mount_mounted",
    "mount_journaled",    "unmount_journaled",     "unmount_unmounted",   "unmount_released",
    "remove_recorded",    "remove_image_removed",  "remove_acknowledged", "snapshot_recorded",
    "snapshot_taken",     "snapshot_acknowledged", "snapshot_removing",   "snapshot_removed",
    "snapshot_forgotten"};

constexpr int kUnarmed = -1;

// The one mutable global besides the logger: a fault point must be reachable from every layer, and
// passing a port for it through each call would put test plumbing into every signature.
std::atomic<int> armed_point{kUnarmed};
std::atomic<Action> armed_action{Action::abort};

}  // namespace

Result<> arm(std::string_view spec) {
  const auto cut = spec.find('=');
  const std::string_view name = spec.substr(0, cut);
  const std::string_view action = cut == spec.npos ? "abort" : spec.substr(cut + 1);
  if (action != "abort" && action != "fail")
    return make_error(Code::invalid_argument, fmt::format("fault action '{}' is not abort or fail", action));
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] != name) continue;
    armed_action = action == "abort" ? Action::abort : Action::fail;
    armed_point = static_cast<int>(i);
    return {};
  }
  return make_error(Code::invalid_argument, fmt::format("no fault point is called '{}'", name));
}

void disarm() {
  armed_point = kUnarmed;
}

std::span<const std::string_view> names() {
  return kNames;
}

Result<> hit(Fault point) {
  if (armed_point.load(std::memory_order_relaxed) != static_cast<int>(point)) return {};
  const auto name = kNames[static_cast<size_t>(point)];
  if (armed_action == Action::fail)
    return make_error(Code::internal, fmt::format("fault point {} is armed to fail", name), Effect::unknown);
  std::fprintf(stderr, "fault point %.*s: aborting\n", int(name.size()), name.data());
  _exit(134);
}

}  // namespace volplugin::faults
