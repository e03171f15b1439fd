// SPDX-License-Identifier: Apache-2.0
// What agents and volmasters do by themselves, and time.
#include "world.h"

namespace volplugin::sim {

void World::keep_session() {
  keep_session_of(chance_.of(hosts_));
}

void World::keep_session_of(Host& host) {
  const auto life = host.life;
  if (host.down || host.frozen || !life->process.may_loop()) return;
  note("keep the session of {}", host.name);
  const Counted looping(life->process.looping);
  life->agent->keep_session(op("agent"));
}

void World::recover_agent() {
  recover_agent_of(chance_.of(hosts_));
}

void World::recover_agent_of(Host& host) {
  const auto life = host.life;
  if (host.down || host.frozen || !life->process.may_loop()) return;
  note("recover {}", host.name);
  const Counted looping(life->process.looping);
  life->agent->recover_step(op("agent"));
}

void World::recover_master() {
  recover_master_of(chance_.of(masters_));
}

void World::recover_master_of(const std::shared_ptr<Master>& its_master) {
  const auto master = its_master;  // stays, also if another one replaces it meanwhile
  if (!master->process.may_loop()) return;
  note("recover {}", master->process.name);
  const Counted looping(master->process.looping);
  for (const auto& left : master->control.recover_step(op("recovery"))) note("  {}", left);
}

void World::prolong() {
  const auto master = chance_.of(masters_);
  if (!master->process.may_loop()) return;
  const Counted exclusive(master->process.exclusive);
  master->control.prolong_presence(op("presence"));
}

void World::deliver() {
  const size_t watch = static_cast<size_t>(chance_.below(store_.watches()));
  if (watch == slow_watch_ && !chance_.one_in(12)) return;
  if (store_.deliver(watch, static_cast<size_t>(1 + chance_.below(6)))) note("deliver to watch {}", watch);
}

void World::advance() {
  const auto longest = chance_.one_in(6) ? 40'000u : 3'000u;
  const Millis time(100 + static_cast<std::int64_t>(chance_.below(longest)));
  note("{} ms pass", time.count());
  let_pass(time);
}

void World::deliver_late() {
  if (late_.empty()) return;
  const auto at = late_.begin() + static_cast<std::ptrdiff_t>(chance_.below(late_.size()));
  const Request request = std::move(*at);
  late_.erase(at);
  const auto master = chance_.of(masters_);
  note("late at {}: {}", master->process.name, request.what);
  carry_out(master, request);
}

}  // namespace volplugin::sim
