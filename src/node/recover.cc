// SPDX-License-Identifier: Apache-2.0
// What an agent puts right at start and from time to time: its registration, mount records of an earlier
// life, unmounts that found the device busy, uses whose Unmount never came.
#include "node/agent.h"

#include <algorithm>
#include <set>

namespace volplugin::node {
namespace {

constexpr Millis kLookAgain{60'000};  // for records of this host that it does not know of
constexpr Millis kPatience{10'000};   // with one volume: what takes longer goes on, and is looked at again

}  // namespace

model::Node Agent::describe_node() const {
  model::Node node{settings_.node, settings_.version, settings_.backends, settings_.boot_id, started_at_};
  for (const auto& entry : journal_->all())
    if (entry.fenced) node.fenced.push_back(entry.volume.id.name());
  return node;
}

void Agent::keep_session(const Op& op) {
  const auto node = describe_node();
  // What was told before may arrive later, from a network that was cut: people should see what is fenced.
  const auto renewed = node.fenced.empty() ? session_.renew(op, node) : session_.tell(op, node);
  note_session(renewed);
  if (const auto session = session_.valid()) settle_mounts(op, *session);
}

// What people should read about it: that it is lost, once, and that it is there again.
void Agent::note_session(const Result<>& renewed) {
  const bool lost = !session_.valid();
  const bool told = lost_told_.exchange(lost);
  if (lost && !told && !renewed)
    parts_.warn(
        "this host has no session with volmaster: its mounts go on, but no volume of the cluster gets new "
        "users here: " +
        renewed.error().message);
  if (!lost && told) parts_.warn("this host has a session with volmaster again");
}

void Agent::recover_step(const Op& op) {
  if (const auto session = session_.ensure(op, describe_node())) {
    settle_mounts(op, *session);
  } else {
    note_session(session.error());
  }
  std::set<std::string> silent;  // pools that did not answer in this step: they hold up no others
  auto entries = journal_->all();
  std::ranges::partition(
      entries, [this](const JournalEntry& entry) { return !slow_.contains(entry.volume.id.name()); });
  for (const auto& entry : entries) {
    if (!op.check("recovering")) return;
    const std::string pool = pool_of(entry.volume);
    if (silent.contains(pool)) continue;
    const Op its_op = op.with_timeout(kPatience);
    reconcile(its_op, entry.volume.id);
    slow_.erase(entry.volume.id.name());
    if (its_op.check("recovering")) continue;
    silent.insert(pool);
    slow_.insert(entry.volume.id.name());
  }
}

// Once for each session: what this host holds is held under it from now on. And from time to time: a request
// whose answer was lost may have made a record that nobody knows of.
void Agent::settle_mounts(const Op& op, const std::string& session) {
  const std::lock_guard one(settling_);
  const bool settled = settled_session_ == session;
  if (settled && parts_.clock.now() < look_again_) return;
  // Fills the cache: Docker may ask for a volume for the first time when volmaster cannot be reached any
  // more.
  bool all = settled || list(op).has_value();
  for (const auto& seen : journal_->all()) {
    const auto turn = queue_.try_enter(seen.volume.id.name());
    auto entry = turn ? journal_->find(seen.volume.id) : std::nullopt;
    all = all && turn;
    if (!entry || entry->fenced || entry->session == session) continue;
    all = claim_again(op, *entry, session).has_value() && all;
  }
  if (const auto taken = take_over_records(op); !taken) {
    if (taken.error().code != Code::busy)
      parts_.warn("taking over the mounts of an earlier run: " + taken.error().message);
    all = false;
  }
  if (!all) return;
  settled_session_ = session;
  look_again_ = parts_.clock.now() + kLookAgain;
}

// Mount records that say this node, but that the journal does not know: a crash or a reboot came between.
Result<> Agent::take_over_records(const Op& op) {
  service::ListQuery query{.node = settings_.node.str()};
  Result<> outcome;
  do {
    const auto page = TRY(parts_.records.list_mounts(op, query));
    for (const auto& mount : page.items) {
      if (mount->value.node != settings_.node) continue;
      const auto taken = take_over(op, mount->value);
      if (!taken && taken.error().code != Code::busy) return taken;
      if (!taken) outcome = taken;
    }
    query.after = page.next;
  } while (!query.after.empty());
  return outcome;
}

Result<> Agent::take_over(const Op& op, const model::Mount& mount) {
  const auto& id = mount.volume;
  const auto turn = queue_.try_enter(id.name());
  // A call that does not mount would leave the record behind: look again with the next step.
  if (!turn) return make_error(Code::busy, fmt::format("volume '{}' is being worked on", id.name()));
  if (journal_->find(id)) return {};
  const auto volume = parts_.records.get_volume(op, id);
  if (!volume && volume.error().code == Code::not_found)
    return parts_.records.release_mount(op, {id, settings_.node, mount.claim});
  if (!volume) return volume.error();
  // Its right to the record is asked for when it is given back.
  const JournalEntry entry{(*volume)->value, {}, mount.claim, mount.session};
  TRY(journal_->put(entry));  // reconcile() takes it down
  return {};
}

bool Agent::lost_unmounts(const JournalEntry& entry) const {
  const std::uint64_t engine = journal_->engine();
  return std::any_of(entry.uses.begin(), entry.uses.end(),
                     [&](const CountedUse& use) { return use.engine != engine || use.since < started_at_; });
}

void Agent::reconcile(const Op& op, const model::VolumeId& id) {
  const auto turn = queue_.try_enter(id.name());
  if (!turn) return;
  auto entry = journal_->find(id);
  if (!entry) return;
  const std::string where = parts_.executor.mount_point(id);
  const auto mounted = parts_.executor.is_mounted(op, id);
  if (!mounted) return;
  if (!entry->uses.empty() && *mounted) {
    if (!lost_unmounts(*entry)) return;
    // An Unmount may have been lost (engine restarted, or this agent was down). If no container has the
    // volume and nobody touches it between two looks, nobody will.
    if (parts_.filesystems.used_elsewhere(where).value_or(true)) return;
    if (!parts_.filesystems.expire(op, where).value_or(false)) return;
    parts_.warn(
        fmt::format("volume '{}': no container uses it any more, though Docker never said so", id.name()));
  } else if (!entry->uses.empty()) {
    // Unmounted by hand; containers that run on keep the device busy, and then the uses are still true.
    const auto outcome = parts_.executor.unmount(op, entry->volume);
    if (!outcome || *outcome == executor::Unmounted::busy) return;
  }
  entry->uses.clear();
  if (!journal_->put(*entry)) return;
  // Not told again and again: unmount() warned, and the mount record shows it.
  (void)finish_unmount(op, *entry).has_value();
}

}  // namespace volplugin::node
