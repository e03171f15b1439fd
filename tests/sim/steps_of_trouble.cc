// SPDX-License-Identifier: Apache-2.0
// What goes wrong, and ends again.
#include "world.h"

namespace volplugin::sim {

void World::restart_agent() {
  Host& host = chance_.of(hosts_);
  if (host.down || host.frozen) return;
  note("the agent of {} is killed and started", host.name);
  start_agent(host);
}

void World::restart_master() {
  const auto number = static_cast<size_t>(chance_.below(masters_.size()));
  if (store_.away) return;
  note("master-{} is killed and started", number);
  start_master(number);
}

void World::lose_power() {
  Host& host = chance_.of(hosts_);
  if (host.down) return;
  note("{} loses power", host.name);
  host.down = true;
  host.life->process.dead = true;
  storage_.cluster->crash_host(host.name);
  host.kernel.mounts.clear();
  host.kernel.containers.clear();
  host.kernel.unused.clear();
}

void World::power_on() {
  Host& host = chance_.of(hosts_);
  if (host.down) power_on_host(host);
}

void World::power_on_host(Host& host) {
  note("{} boots", host.name);
  host.down = host.frozen = false;
  ++host.boots;
  start_agent(host);
}

void World::freeze() {
  Host& host = chance_.of(hosts_);
  note("{} freezes", host.name);
  host.frozen = true;
}

void World::thaw() {
  Host& host = chance_.of(hosts_);
  if (!host.frozen) return;
  note("{} goes on", host.name);
  host.frozen = false;
}

void World::cut() {
  Host& host = chance_.of(hosts_);
  note("{} is cut off", host.name);
  host.link.cut = true;
}

void World::mend_link() {
  Host& host = chance_.of(hosts_);
  if (!host.link.cut) return;
  note("{} is connected again", host.name);
  host.link.cut = false;
}

void World::lose_store() {
  note("the store is away");
  store_.away = true;
}

void World::find_store() {
  if (!store_.away) return;
  note("the store is there again");
  store_.away = false;
}

void World::compact() {
  const auto watch = static_cast<size_t>(chance_.below(store_.watches()));
  note("the history of watch {} is gone", watch);
  store_.compact(watch);
}

}  // namespace volplugin::sim
