// SPDX-License-Identifier: Apache-2.0
#include "base/faults.h"
#include "node/agent.h"

#include <algorithm>

namespace volplugin::node {
namespace {

constexpr Millis kCleanupTimeout{20'000};

Error not_visible(const std::string& path) {
  return make_error(
      Code::unsupported,
      fmt::format("the Docker engine does not see {}: it runs in another mount namespace than "
                  "volplugin, and the container would get an empty directory. Run both in the same "
                  "namespace, or share the mount root with mount propagation (rshared)",
                  path));
}

}  // namespace

Result<std::string> Agent::mount(const Op& op, const service::MountRequest& request) {
  const auto id = TRY(settings_.parse_name(request.name));
  const auto use = TRY(model::MountIdTag::parse(request.mount_id));
  const auto turn = TRY(queue_.enter(op, id.name()));
  auto entry = journal_->find(id);
  if (entry && TRY(parts_.executor.is_mounted(id)))
    return share_mount(op, std::move(*entry), use, request.engine);
  return first_mount(op, id, use, request.engine);
}

Result<std::string> Agent::first_mount(const Op& op, const model::VolumeId& id, const model::MountId& use,
                                       std::optional<pid_t> engine) {
  const auto volume = TRY(parts_.records.get_volume(op, id));
  JournalEntry entry{volume->value, {{use, 1, journal_->engine(), parts_.clock.wall()}}};
  const auto acquired = parts_.records.acquire_mount(
      op, {id, settings_.node, parts_.executor.mount_point(id), {use, entry.uses.front().since}});
  if (!acquired) {
    // Perhaps it was granted and only the answer is lost: an entry without uses has it given back.
    entry.uses.clear();
    if (acquired.error().effect == Effect::unknown) TRY(journal_->put(entry));
    return acquired.error();
  }
  const auto mounted = mount_and_record(op, entry, engine);
  if (mounted) return parts_.executor.data_path(id);
  entry.uses.clear();
  // Give the record back only when nothing of the volume is left here; else the journal keeps it for later.
  const Op cleanup = op.for_cleanup(kCleanupTimeout);
  Error error = mounted.error();
  if (const auto kept = journal_->put(entry); !kept) error.message += "; " + kept.error().message;
  if (const auto undone = finish_unmount(cleanup, entry); !undone)
    error.message += "; undoing is not finished: " + undone.error().message;
  return error;
}

Result<> Agent::mount_and_record(const Op& op, const JournalEntry& entry, std::optional<pid_t> engine) {
  TRY(faults::hit(Fault::mount_recorded));
  TRY_CTX(parts_.executor.mount(op, entry.volume), "mounting volume '{}'", entry.volume.id.name());
  TRY(faults::hit(Fault::mount_mounted));
  TRY(check_visible(entry.volume.id, engine));
  TRY(op.check("mounting"));
  TRY(journal_->put(entry));
  return faults::hit(Fault::mount_journaled);
}

Result<std::string> Agent::share_mount(const Op& op, JournalEntry entry, const model::MountId& use,
                                       std::optional<pid_t> engine) {
  const auto id = entry.volume.id;
  const auto volume = parts_.records.get_volume(op, id);
  if (volume && (*volume)->value.uid != entry.volume.uid)
    return make_error(Code::conflict,
                      fmt::format("an earlier volume called '{}' is still in use on this host; stop "
                                  "its containers first",
                                  id.name()));
  TRY(check_visible(id, engine));
  const bool was_unmounting = entry.uses.empty();
  count_use(entry, use);
  // Nobody else can have been given the volume: its record stays ours until it is released.
  if (was_unmounting && volume)
    TRY(parts_.records.acquire_mount(
        op, {id, settings_.node, parts_.executor.mount_point(id), {use, entry.uses.front().since}}));
  TRY(journal_->put(entry));
  tell_volmaster(op, entry, "");
  return parts_.executor.data_path(id);
}

Result<> Agent::check_visible(const model::VolumeId& id, std::optional<pid_t> engine) {
  if (!engine) return {};  // asked over TCP or in process: nobody to compare with
  const std::string where = parts_.executor.mount_point(id);
  if (!TRY_CTX(parts_.filesystems.visible_to(*engine, where), "checking that the Docker engine sees {}",
               where))
    return not_visible(where);
  return {};
}

// See facts about mount IDs in docs/docker.md: they repeat with and without an Unmount between.
void Agent::count_use(JournalEntry& entry, const model::MountId& use) {
  const std::uint64_t engine = journal_->engine();
  const auto known = std::find_if(entry.uses.begin(), entry.uses.end(),
                                  [&](const CountedUse& candidate) { return candidate.id == use; });
  if (known == entry.uses.end()) {
    entry.uses.push_back({use, 1, engine, parts_.clock.wall()});
    return;
  }
  const bool other_life = known->engine != engine;  // the engine was killed and starts its container again
  // An Unmount was lost while this agent was down: no container has the volume now.
  const bool lost =
      known->since < started_at_ &&
      !parts_.filesystems.used_elsewhere(parts_.executor.mount_point(entry.volume.id)).value_or(true);
  if (other_life || lost) {
    *known = {use, 1, engine, parts_.clock.wall()};
  } else {
    ++known->count;  // docker cp into a running container
  }
}

}  // namespace volplugin::node
