// SPDX-License-Identifier: Apache-2.0
// Making, removing and looking at images. An image is made under a note that says whose it is going to be,
// and is that volume's once the note has its id: a crash between leaves an empty image that the next ensure()
// takes.
#include "backend/rbd/rbd_backend.h"

#include <algorithm>

namespace volplugin::backend {
namespace {

// layering, exclusive-lock, object-map, fast-diff, deep-flatten: Ceph's own default, which Linux can map
// since 5.3.
constexpr std::uint64_t kFeatures = 1 | 4 | 8 | 16 | 32;
constexpr int kMaxTries = 8;

Error foreign(const ImageKey& key, const ImageNotes& notes, const std::string& id) {
  if (is_of(notes, id))
    return make_error(Code::permission_denied, fmt::format("image '{}' belongs to volume {}, not to {}",
                                                           name_of(key), notes.owner->uid, key.uid));
  return make_error(Code::permission_denied,
                    fmt::format("image '{}' was not made by volplugin", name_of(key)));
}

}  // namespace

bool is_of(const ImageNotes& notes, const std::string& image_id) {
  return notes.owner && notes.owner->image_id == image_id;
}

std::string name_of(const ImageKey& key) {
  return key.pool + "/" + key.image;
}

Result<> require_ours(const ImageKey& key, const ImageNotes& notes, const std::string& image_id) {
  if (is_of(notes, image_id) && notes.owned_by(key.uid)) return {};
  return foreign(key, notes, image_id);
}

Result<EnsureOutcome> RbdBackend::ensure_image(const Work& work, Bytes size) {
  for (int tries = 1;; ++tries) {
    TRY(work.op.check("making an image"));
    const auto notes = TRY(read_notes(work));
    const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
    auto made = id ? accept(work, notes, *id, size) : make_image(work, notes, size);
    // Somebody else changed the note or made an image meanwhile.
    if (made || made.error().code != Code::conflict || tries == kMaxTries) return made;
  }
}

Result<EnsureOutcome> RbdBackend::accept(const Work& work, const ImageNotes& notes, const std::string& id,
                                         Bytes size) {
  const bool unfinished = notes.owned_by(work.key.uid) && notes.owner->image_id.empty();
  const auto taken = [&](const std::string& why) {
    return make_error(Code::already_exists, fmt::format("the name is taken: {}", why));
  };
  const auto changed = [&] {
    return make_error(Code::conflict, fmt::format("image '{}' was changed meanwhile", name_of(work.key)));
  };
  if (!unfinished && !require_ours(work.key, notes, id)) return taken(foreign(work.key, notes, id).message);
  const auto image = TRY(work.ceph.find_image(work.key.pool, work.key.image));
  if (!image || image->id != id) return changed();
  if (image->size != size)
    return make_error(Code::already_exists, fmt::format("image '{}' exists with {} bytes instead of {}",
                                                        name_of(work.key), image->size.count, size.count));
  if (!unfinished) return EnsureOutcome{Ensured::already_there, size};
  // Ours, of a call that was cut short, or made by somebody else in that instant: only if it was never used.
  if (image->has_snapshots || !TRY(work.ceph.watchers(work.key.pool, id)).empty() ||
      TRY(work.ceph.used(work.key.pool, work.key.image)) != Bytes{})
    return taken(fmt::format("image '{}' is in use and was not made by volplugin", name_of(work.key)));
  if (!TRY(work.ceph.replace_note(work.key.pool, note::owner(work.key.image), note::value_of(*notes.owner),
                                  note::value_of(ImageOwner{work.key.uid, id}))))
    return changed();
  return EnsureOutcome{Ensured::already_there, size};
}

Result<EnsureOutcome> RbdBackend::make_image(const Work& work, const ImageNotes& notes, Bytes size) {
  const std::string name = note::owner(work.key.image);
  const std::string begun = note::value_of(ImageOwner{work.key.uid, ""});
  const auto changed = [&] {
    return make_error(Code::conflict, fmt::format("image '{}' was changed meanwhile", name_of(work.key)));
  };
  TRY(refuse_if_too_big(work, size));
  if (!TRY(work.ceph.replace_note(work.key.pool, name, notes.owner ? note::value_of(*notes.owner) : "",
                                  begun)))
    return changed();
  auto made = make_noted_image(work, begun, size);
  if (!made) made.error().effect = Effect::unknown;  // the note is there, and perhaps an image
  return made;
}

Result<EnsureOutcome> RbdBackend::make_noted_image(const Work& work, const std::string& begun, Bytes size) {
  const std::string name = note::owner(work.key.image);
  const auto changed = [&] {
    return make_error(Code::conflict, fmt::format("image '{}' was changed meanwhile", name_of(work.key)));
  };
  const auto made = work.ceph.create_image(work.key.pool, work.key.image, size, kFeatures);
  if (!made && made.error().code == Code::already_exists) {
    if (!TRY(work.ceph.image_id(work.key.pool, work.key.image)))
      TRY(work.ceph.clear_remains(work.key.pool, work.key.image, ""));
    return changed();
  }
  TRY(made);
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  if (!id) return changed();
  if (!TRY(work.ceph.replace_note(work.key.pool, name, begun, note::value_of(ImageOwner{work.key.uid, *id}))))
    return changed();
  return EnsureOutcome{Ensured::created, size};
}

// Images are thin: this refuses only what can never be filled, or cannot even be formatted.
Result<> RbdBackend::refuse_if_too_big(const Work& work, Bytes size) {
  const auto pool = TRY(pool_info(work.ceph, work.key.pool));
  if (pool.total == Bytes{}) return {};  // nobody knows
  if (pool.available == Bytes{})
    return make_error(Code::resource_exhausted,
                      fmt::format("pool '{0}' is full: its quota or the cluster's space is used up; remove "
                                  "something, or see `ceph osd pool get-quota {0}` and `ceph df`",
                                  work.key.pool));
  if (size <= pool.total) return {};
  return make_error(Code::resource_exhausted,
                    fmt::format("pool '{}' cannot hold {} bytes: it has {} bytes, {} of them free",
                                work.key.pool, size.count, pool.total.count, pool.available.count));
}

Result<Removed> RbdBackend::remove_image(const Work& work) {
  const auto pool = work.ceph.check_pool(work.key.pool);
  if (!pool && pool.error().code == Code::not_found) return Removed::already_gone;  // with its pool
  TRY(pool);
  const auto notes = TRY(read_notes(work));
  if (const auto here = TRY(remembered(work.key))) {
    if (TRY(mapper_->find(*here)))
      return make_error(Code::busy, fmt::format("image '{}' is attached", name_of(work.key)));
    TRY(let_go(work.op, work.key, *here));
  }
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  if (id) {
    const bool unfinished = notes.owned_by(work.key.uid) && notes.owner->image_id.empty() &&
                            TRY(work.ceph.used(work.key.pool, work.key.image)) == Bytes{};
    if (!unfinished) TRY(require_ours(work.key, notes, *id));
    TRY(refuse_if_open(work, notes, TRY(work.ceph.watchers(work.key.pool, *id))));
    TRY(remove_with_snapshots(work, notes, *id));
  }
  if (notes.owner && !notes.owned_by(work.key.uid))
    return Removed::already_gone;  // the notes are of another one
  if (!id && notes.owner) TRY(work.ceph.clear_remains(work.key.pool, work.key.image, notes.owner->image_id));
  std::vector<std::string> names;
  for (const auto& [name, unused] : TRY(work.ceph.notes(work.key.pool, note::all_of(work.key.image))))
    names.push_back(name);
  TRY(work.ceph.erase_notes(work.key.pool, names));
  return id ? Removed::removed : Removed::already_gone;
}

// Most images have none: only when Ceph refuses is it asked why. Once they are gone the volume is not what it
// was, and a removal that does not end has had an effect.
Result<> RbdBackend::remove_with_snapshots(const Work& work, const ImageNotes& notes, const std::string& id) {
  // False: it has snapshots.
  const auto attempt = [&]() -> Result<bool> {
    const auto removed = work.ceph.remove_image(work.key.pool, work.key.image);
    if (removed || removed.error().code == Code::not_found) return true;
    if (removed.error().code != Code::busy) return removed.error();
    TRY(refuse_if_open(work, notes, TRY(work.ceph.watchers(work.key.pool, id))));
    return false;
  };
  if (TRY(attempt())) return {};
  TRY(remove_snapshots(work));
  const auto removed = attempt();
  if (removed && *removed) return {};
  Error why =
      removed ? make_error(Code::busy, fmt::format("image '{}' has got another snapshot", name_of(work.key)))
              : removed.error();
  why.effect = Effect::unknown;
  return why;
}

// `clients`: those that have the image open. Errors: busy, naming them.
Result<> RbdBackend::refuse_if_open(const Work& work, const ImageNotes& notes, const Clients& clients) {
  if (clients.empty()) return {};
  std::vector<std::string> users;
  for (const auto& client : clients) {
    std::string user = "client " + client;
    for (const auto& [host, held] : notes.holders)
      if (contains(held, client)) user = fmt::format("host '{}' ({})", host, client);
    users.push_back(std::move(user));
  }
  return make_error(Code::busy,
                    fmt::format("image '{}' is in use by {}", name_of(work.key), fmt::join(users, ", ")));
}

// All or none, as far as can be told: one that stays keeps the volume, and then the others are not to be
// lost.
Result<> RbdBackend::remove_snapshots(const Work& work) {
  const auto snapshots = TRY(work.ceph.snapshots(work.key.pool, work.key.image));
  const auto needed = [&](const CephSnapshot& snapshot) {
    return make_error(Code::busy, fmt::format("snapshot '{}' of image '{}' is protected or has clones",
                                              snapshot.name, name_of(work.key)));
  };
  const auto kept = std::ranges::find_if(snapshots, &CephSnapshot::needed);
  if (kept != snapshots.end()) return needed(*kept);
  for (const auto& snapshot : snapshots) {
    auto removed = work.op.check("removing snapshots");
    if (removed) removed = work.ceph.remove_snapshot(work.key.pool, work.key.image, snapshot.name);
    if (removed || removed.error().code == Code::not_found) continue;
    if (removed.error().code == Code::busy) removed = needed(snapshot);
    if (&snapshot != &snapshots.front()) removed.error().effect = Effect::unknown;  // some are gone
    return removed;
  }
  return {};
}

Result<std::optional<ImageInfo>> RbdBackend::inspect_image(const Work& work) {
  const auto image = TRY(work.ceph.find_image(work.key.pool, work.key.image));
  if (!image) return std::optional<ImageInfo>();
  const auto notes = TRY(read_notes(work));
  const auto used = work.ceph.used(work.key.pool, work.key.image);
  if (!used && used.error().code == Code::not_found) return std::optional<ImageInfo>();
  return std::optional(
      ImageInfo{work.key.image, is_of(notes, image->id) ? notes.owner->uid : "", image->size, TRY(used)});
}

}  // namespace volplugin::backend
