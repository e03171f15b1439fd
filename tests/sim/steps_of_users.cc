// SPDX-License-Identifier: Apache-2.0
// What containers, Docker and people do.
#include "world.h"

#include <algorithm>
#include <array>

namespace volplugin::sim {
namespace {

constexpr std::array kVolumes{"t/x", "t/y", "t/z"};
constexpr std::array kSnapshots{"s1", "s2"};
constexpr size_t kMaxContainers = 3;  // of a host

std::string outcome(const auto& result) {
  return result ? "done" : fmt::format("{}: {}", to_string(result.error().code), result.error().message);
}

}  // namespace

void World::write() {
  for (const auto& host : hosts_)
    for (const auto& container : host.kernel.containers)
      if (storage_.can_write(host.name, container.uid)) truth_.wrote(container.uid);
}

void World::create() {
  const auto id = *model::parse_volume_id(chance_.of(kVolumes));
  note("create {}", id.name());
  const auto created = persons_network_.create_volume(op("volcli"), {id, {}, std::nullopt});
  note("create {}: {}", id.name(), outcome(created));
}

void World::remove() {
  const auto id = *model::parse_volume_id(chance_.of(kVolumes));
  note("remove {}", id.name());
  const auto removed = persons_network_.remove_volume(op("volcli"), id, service::RemoveMode::delete_data);
  note("remove {}: {}", id.name(), outcome(removed));
}

void World::adopt() {
  const auto id = *model::parse_volume_id(kFoundVolume);
  note("adopt {}", id.name());
  const auto adopted =
      persons_network_.adopt_volume(op("volcli"), {id, {}, std::nullopt, service::Confirmed::yes});
  note("adopt {}: {}", id.name(), outcome(adopted));
}

// Not of one that is being adopted, and not by a request that comes late: that leaves the image to a volume
// that never was, as the person who forces it is told.
void World::forget() {
  const auto id = *model::parse_volume_id(kFoundVolume);
  const auto volume = truth_.volumes().find(id.name());
  if (volume == truth_.volumes().end() || volume->second.phase != model::Phase::ready) return;
  const auto master = chance_.of(masters_);
  if (!master->process.may_take(id.name())) return;
  const Turn turn(master->process, id.name());
  note("forget {}", id.name());
  const auto forgotten = removing(id, [&] {
    return master->control.remove_volume(op("volcli"), id, service::RemoveMode::forget_record);
  });
  note("forget {}: {}", id.name(), outcome(forgotten));
}

void World::take_snapshot() {
  const auto id =
      *model::parse_snapshot_id(fmt::format("{}/{}", chance_.of(kVolumes), chance_.of(kSnapshots)));
  note("take {}", id.text());
  note("take {}: {}", id.text(), outcome(persons_network_.take_snapshot(op("volcli"), id)));
}

void World::remove_snapshot() {
  const auto id =
      *model::parse_snapshot_id(fmt::format("{}/{}", chance_.of(kVolumes), chance_.of(kSnapshots)));
  note("remove {}", id.text());
  note("remove {}: {}", id.text(), outcome(persons_network_.remove_snapshot(op("volcli"), id)));
}

void World::docker_mount() {
  Host& host = chance_.of(hosts_);
  const std::string volume = chance_.of(kVolumes);
  if (host.down || host.frozen || host.kernel.containers.size() >= kMaxContainers) return;
  mount_on(host, volume);
}

void World::mount_on(Host& host, const std::string& volume) {
  const auto life = host.life;
  if (!life->process.may_take(volume)) return;
  const std::string id = fmt::format("c{}", ++lives_);
  const auto ends = truth_.session_ends(host.name);
  note("mount {} on {} for {}", volume, host.name, id);
  const Turn turn(life->process, volume);
  const auto mounted = life->agent->mount(op("docker"), {volume, id, {}});
  note("mount {} on {} for {}: {}", volume, host.name, id, outcome(mounted));
  if (!mounted || life->process.dead) return;
  truth_.mounted(host, volume, ends);
  const auto at = host.kernel.mounts.find("/mounts/" + model::parse_volume_id(volume)->image());
  if (at == host.kernel.mounts.end())
    return truth_.violated(fmt::format("{} was told that '{}' is mounted, and it is not", id, volume));
  host.kernel.unused.erase(at->first);
  host.kernel.containers.push_back(
      {id, volume, at->second.uid, *storage_.cluster->use_device(host.name, at->second.device)});
}

void World::docker_unmount() {
  Host& host = chance_.of(hosts_);
  if (host.down || host.frozen || host.kernel.containers.empty()) return;
  stop_container(host, static_cast<size_t>(chance_.below(host.kernel.containers.size())));
}

void World::stop_container(Host& host, size_t number) {
  const auto life = host.life;
  auto& containers = host.kernel.containers;
  const std::string id = containers[number].id, volume = containers[number].volume;
  if (!life->process.may_take(volume)) return;
  containers.erase(containers.begin() + static_cast<std::ptrdiff_t>(number));
  note("unmount {} on {} for {}", volume, host.name, id);
  const Turn turn(life->process, volume);
  const auto unmounted = life->agent->unmount(op("docker"), volume, id);
  note("unmount {} on {} for {}: {}", volume, host.name, id, outcome(unmounted));
}

// By a person who has seen that the host is down.
void World::force_remove() {
  for (const auto& [volume, mount] : truth_.mounts()) {
    const auto holder =
        std::ranges::find_if(hosts_, [&](const Host& host) { return host.name == mount.node.str(); });
    if (!holder->down) continue;
    const auto id = mount.volume;
    note("force-remove the mount of {}", id.name());
    const auto confirmed = chance_.one_in(2) ? service::Confirmed::yes : service::Confirmed::no;
    const auto forgotten = persons_network_.forget_mount(op("volcli"), {id, mount.claim, confirmed});
    note("force-remove the mount of {}: {}", id.name(), outcome(forgotten));
    return;
  }
}

}  // namespace volplugin::sim
