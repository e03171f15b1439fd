// SPDX-License-Identifier: Apache-2.0
// The end of a run: nothing goes wrong any more, and all that was left half done has to end by itself.
#include "world.h"

namespace volplugin::sim {
namespace {

constexpr int kRounds = 80;
constexpr Millis kRound{5'000};  // as often as recovery runs

}  // namespace

void World::mend_everything() {
  ++calm_;  // for good
  note("everything is mended");
  store_.away = false;
  for (auto& host : hosts_) {
    host.link.cut = host.frozen = false;
    if (host.down) power_on_host(host);
  }
  deliver_all();
  while (!late_.empty()) deliver_late();
  for (auto& host : hosts_)
    while (!host.kernel.containers.empty()) stop_container(host, 0);
  truth_.check();
}

void World::come_to_rest() {
  for (int round = 0; round < kRounds && !truth_.violation(); ++round) {
    let_pass(kRound);
    deliver_all();
    for (auto& host : hosts_) {
      keep_session_of(host);
      recover_agent_of(host);
    }
    for (auto& master : masters_) {
      recover_master_of(master);
      master->control.prolong_presence(op("presence"));
    }
    truth_.check();
  }
  truth_.check_rest();
}

// Every volume can be used on every host.
void World::use_everything() {
  for (const auto& [volume, record] : std::map(truth_.volumes())) {
    for (auto& host : hosts_) {
      if (truth_.violation()) return;
      keep_session_of(host);
      mount_on(host, volume);
      if (host.kernel.containers.empty() || !storage_.can_write(host.name, record.uid))
        return truth_.violated(
            fmt::format("at rest: '{}' cannot be used on {}: see the last step", volume, host.name));
      stop_container(host, 0);
      truth_.check();
    }
  }
  truth_.check_rest();
}

}  // namespace volplugin::sim
