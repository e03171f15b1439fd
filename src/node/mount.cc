// SPDX-License-Identifier: Apache-2.0
#include "base/faults.h"
#include "node/agent.h"
#include "os/uuid.h"

#include <algorithm>

namespace volplugin::node {
namespace {

constexpr Millis kCleanupTimeout{20'000};
constexpr Millis kLookAgain{500};  // at a volume that another host holds
constexpr int kMaxGivenBack = 3;   // records that came too late, during one mount

Error fenced_off(const model::VolumeId& id) {
  return make_error(
      Code::conflict,
      fmt::format("volume '{}' is fenced on this host: its right to it was lost while it could not be "
                  "reached, and another host may use it. Stop the containers that have it here; "
                  "it can be mounted again then",
                  id.name()));
}

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
  const auto place = TRY(bulkhead_.enter(op, pool_of(id)));
  const auto turn = TRY(queue_.enter(op, id.name()));
  auto entry = journal_->find(id);
  if (entry && TRY(parts_.executor.is_mounted(op, id)))
    return share_mount(op, std::move(*entry), use, request.engine);
  auto mounted = first_mount(op, id, use, request.engine);
  // What kept this host away was lifted with that attempt (see there).
  if (!mounted && mounted.error().code == Code::permission_denied)
    mounted = first_mount(op, id, use, request.engine);
  return mounted;
}

Result<std::string> Agent::first_mount(const Op& op, const model::VolumeId& id, const model::MountId& use,
                                       std::optional<pid_t> engine) {
  const auto volume = TRY(parts_.records.get_volume(op, id));
  JournalEntry entry{
      volume->value, {{use, 1, journal_->engine(), parts_.clock.wall()}}, TRY(claim_for_mount(op, id))};
  entry.session = TRY_CTX(session_.ensure(op, describe_node()), "this host has no session with volmaster");
  const auto wait = std::chrono::ceil<Millis>(entry.volume.options.mount_wait);
  const auto acquired = acquire(op,
                                {id,
                                 settings_.node,
                                 entry.session,
                                 entry.claim,
                                 parts_.executor.mount_point(id),
                                 {use, entry.uses.front().since}},
                                wait.count() > 0 ? wait : settings_.mount_wait);
  if (!acquired) {
    // Perhaps it was granted and only the answer is lost: an entry without uses has it given back.
    entry.uses.clear();
    if (acquired.error().effect == Effect::unknown) TRY(journal_->put(entry));
    return acquired.error();
  }
  const auto mounted = mount_and_record(op, entry, engine);
  if (mounted) return parts_.executor.data_path(entry.volume);
  entry.uses.clear();
  // Cut off from the image by an earlier take-over, after which this host was started anew: nothing of it is
  // here, so that what keeps it away may go.
  entry.fenced = mounted.error().code == Code::permission_denied;
  // Give the record back only when nothing of the volume is left here; else the journal keeps it for later.
  const Op cleanup = op.for_cleanup(kCleanupTimeout);
  Error error = mounted.error();
  if (const auto kept = journal_->put(entry); !kept) error.message += "; " + kept.error().message;
  if (const auto undone = finish_unmount(cleanup, entry); !undone)
    error.message += "; undoing is not finished: " + undone.error().message;
  return error;
}

// What an earlier mount left here is given back first, so that its claim is over: the next one has a new
// claim. What cannot be taken down yet was not given back, and is gone on with.
Result<std::string> Agent::claim_for_mount(const Op& op, const model::VolumeId& id) {
  const auto left = journal_->find(id);
  if (!left) return os::new_uuid();
  const auto finished = finish_unmount(op, *left);
  if (finished) return os::new_uuid();
  if (finished.error().code != Code::busy || left->fenced) return finished.error();
  return left->claim;
}

// Waits, if it is asked to, for a volume that another host holds.
Result<model::Record<model::Mount>> Agent::acquire(const Op& op, const service::AcquireMount& request,
                                                   Millis wait) {
  const SteadyTime give_up = parts_.clock.now() + wait;
  for (int given_back = 0;;) {
    auto held = parts_.records.acquire_mount(op, request);
    if (held || held.error().code != Code::conflict || held.error().effect != Effect::none) return held;
    if (given_back < kMaxGivenBack && TRY(give_back_unknown(op, request.volume))) {
      ++given_back;
      continue;
    }
    if (parts_.clock.now() + kLookAgain > give_up) return held;
    if (!op.sleep(kLookAgain)) return held;
  }
}

// A record of this host that its journal does not know: of a request that was carried out too late, or of an
// earlier life of this agent. False: there is none.
Result<bool> Agent::give_back_unknown(const Op& op, const model::VolumeId& id) {
  const auto held = parts_.records.get_mount(op, id);
  if (!held && held.error().code != Code::not_found) return held.error();
  if (!held || (*held)->value.node != settings_.node || journal_->find(id)) return false;
  const auto volume = TRY(parts_.records.get_volume(op, id));
  const JournalEntry entry{volume->value, {}, (*held)->value.claim, (*held)->value.session};
  TRY(journal_->put(entry));
  TRY(finish_unmount(op, entry));
  return true;
}

// Whether what is mounted here may get another user.
Result<> Agent::confirm_right(const Op& op, JournalEntry& entry) {
  if (entry.fenced) return fenced_off(entry.volume.id);
  if (entry.volume.node) return {};  // nobody else can have it
  const std::string session =
      TRY_CTX(session_.ensure(op, describe_node()), "this host has no session with volmaster");
  if (entry.session == session) return {};
  TRY(claim_again(op, entry, session));
  if (entry.fenced) return fenced_off(entry.volume.id);
  return {};
}

// Holds the mount under a new session; not this host's any more: then it is fenced, and that is no error.
Result<> Agent::claim_again(const Op& op, JournalEntry& entry, const std::string& session) {
  const auto& id = entry.volume.id;
  const auto none = TRY(model::MountIdTag::parse("none"));
  service::AcquireMount request{id,
                                settings_.node,
                                session,
                                entry.claim,
                                parts_.executor.mount_point(id),
                                {entry.uses.empty() ? none : entry.uses.front().id, parts_.clock.wall()},
                                true};
  const auto held = parts_.records.acquire_mount(op, request);
  if (!held && held.error().code != Code::conflict && held.error().code != Code::not_found)
    return held.error();
  entry.session = session;
  if (!held) {
    // Of an earlier session than this one it cannot be: then the next step is with the next session.
    if (session_.valid() != session) return held.error();
    entry.fenced = true;
    parts_.warn(fmt::format("volume '{}' is fenced: {}", id.name(), held.error().message));
  }
  TRY(journal_->put(entry));
  if (entry.fenced) (void)session_.tell(op, describe_node());
  return {};
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
  // A journal of before there were layouts does not tell it.
  if (volume) entry.volume.layout = (*volume)->value.layout;
  TRY(confirm_right(op, entry));
  TRY(check_visible(id, engine));
  const bool was_unmounting = entry.uses.empty();
  count_use(entry, use);
  // Nobody else can have been given the volume: its record stays ours until it is released.
  if (was_unmounting && volume)
    TRY(parts_.records.acquire_mount(op, {id,
                                          settings_.node,
                                          TRY(session_.ensure(op, describe_node())),
                                          entry.claim,
                                          parts_.executor.mount_point(id),
                                          {use, entry.uses.front().since}}));
  TRY(journal_->put(entry));
  tell_volmaster(op, entry, "");
  return parts_.executor.data_path(entry.volume);
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
