// SPDX-License-Identifier: Apache-2.0
#include "base/faults.h"
#include "node/agent.h"

#include <algorithm>

namespace volplugin::node {
namespace {

constexpr Millis kTellTimeout{2'000};  // telling volmaster is a courtesy; Docker is waiting
// Releasing is repeated until it succeeds, so a volmaster that hangs need not hold up `docker stop`.
constexpr Millis kReleaseTimeout{5'000};

}  // namespace

Result<> Agent::unmount(const Op& op, const std::string& name, const std::string& mount_id) {
  const auto id = TRY(settings_.parse_name(name));
  const auto use = TRY(model::MountIdTag::parse(mount_id));
  const auto place = bulkhead_.enter(op, pool_of(id));
  const auto turn = TRY(queue_.enter(op, id.name()));
  auto entry = journal_->find(id);
  if (!entry) return {};
  const auto known = std::find_if(entry->uses.begin(), entry->uses.end(),
                                  [&](const CountedUse& candidate) { return candidate.id == use; });
  if (known == entry->uses.end()) return {};
  if (--known->count == 0) entry->uses.erase(known);
  TRY(journal_->put(*entry));
  if (!entry->uses.empty()) {
    tell_volmaster(op, *entry, "");
    return {};
  }
  // The reference is dropped, which is all Docker has to know; what cannot end now ends in the background.
  auto finished = faults::hit(Fault::unmount_journaled);
  if (finished && !place) finished = place.error();
  if (finished) finished = finish_unmount(op, *entry);
  if (!finished)
    parts_.warn(fmt::format("volume '{}' is not used any more, but cannot be taken down yet: {}", id.name(),
                            finished.error().message));
  return {};
}

// Takes down a volume without uses. Error: it stays in the journal and is tried again.
Result<> Agent::finish_unmount(const Op& op, const JournalEntry& entry) {
  const auto& id = entry.volume.id;
  auto unmounted = parts_.executor.unmount(op, entry.volume);
  if (unmounted && *unmounted == executor::Unmounted::busy)
    unmounted = make_error(Code::busy,
                           "the device is still in use by another mount namespace (a container that "
                           "runs on, or a process that copied the host's mounts)");
  if (!unmounted) {
    tell_volmaster(op, entry, unmounted.error().message);
    return unmounted.error();
  }
  const auto released = parts_.records.release_mount(op.with_timeout(kReleaseTimeout),
                                                     {id, settings_.node, entry.claim, entry.fenced});
  // A record that another node holds is not ours to release: somebody forced it.
  if (!released && released.error().code != Code::conflict) return released.error();
  TRY(faults::hit(Fault::unmount_released));
  TRY(journal_->erase(id));
  if (entry.fenced) (void)session_.tell(op, describe_node());
  return {};
}

// Keeps the mount record's uses and phase true for people who look; the journal is what counts.
void Agent::tell_volmaster(const Op& op, const JournalEntry& entry, const std::string& message) {
  service::UpdateMount update{
      entry.volume.id, settings_.node,
      entry.claim,     entry.uses.empty() ? model::MountPhase::unmounting : model::MountPhase::mounted,
      message,         {}};
  for (const auto& use : entry.uses) update.uses.push_back({use.id, use.since});
  const auto told = parts_.records.update_mount(op.for_cleanup(kTellTimeout), update);
  if (!told && told.error().code != Code::unavailable && told.error().code != Code::not_found)
    parts_.warn(
        fmt::format("telling volmaster about volume '{}': {}", entry.volume.id.name(), told.error().message));
}

}  // namespace volplugin::node
