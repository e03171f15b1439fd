// SPDX-License-Identifier: Apache-2.0
// Adopting images that exist. The note of the owner is written last, and that one write gives the image to
// the volume: what a crash leaves before it is an image that anybody may adopt, with a feature more.
#include "backend/rbd/rbd_backend.h"

#include <array>
#include <utility>

namespace volplugin::backend {
namespace {

constexpr std::uint64_t kExclusiveLock = 4;
// Those that Linux maps since 5.3, by bit; the bits between and above it does not.
constexpr std::uint64_t kUsable = 1 | 2 | kExclusiveLock | 8 | 16 | 32 | 128 | 256;
constexpr std::array<std::pair<std::uint64_t, std::string_view>, 4> kUnusable{
    {{64, "journaling"}, {512, "migrating"}, {1024, "non-primary"}, {2048, "dirty-cache"}}};
// As long as a fence: the volume that had the image is nobody's any more.
constexpr std::chrono::seconds kEarlierOwnerTime = std::chrono::years(1);

std::string words_of(std::uint64_t features) {
  std::vector<std::string> words;
  for (const auto& [bit, word] : kUnusable)
    if (std::exchange(features, features & ~bit) != features) words.emplace_back(word);
  if (features != 0) words.push_back(fmt::format("{:#x}", features));
  return fmt::format("{}", fmt::join(words, ", "));
}

Error changed(const ImageKey& key) {
  return make_error(Code::conflict,
                    fmt::format("image '{}' was changed meanwhile: look at it and try again", name_of(key)));
}

}  // namespace

// Whether it has the exclusive lock. Errors: unsupported.
Result<bool> RbdBackend::check_features(const Work& work) {
  const std::uint64_t has = TRY(work.ceph.features(work.key.pool, work.key.image));
  if ((has & ~kUsable) == 0) return (has & kExclusiveLock) != 0;
  return make_error(
      Code::unsupported,
      fmt::format("image '{0}' has features that hosts cannot map: {1}; rbd feature disable {0} "
                  "takes such away",
                  name_of(work.key), words_of(has & ~kUsable)));
}

// Errors: not_found, busy, unsupported.
Result<RbdBackend::Foundling> RbdBackend::look_at(const Work& work) {
  const auto& [pool, name, uid] = work.key;
  const auto image = TRY(work.ceph.find_image(pool, name));
  if (!image)
    return make_error(Code::not_found,
                      fmt::format("image '{0}' does not exist; one of another name is renamed first: rbd "
                                  "rename {1}/NAME {0}",
                                  name_of(work.key), pool));
  Foundling found{*image, "", {}};
  found.has_lock = TRY(check_features(work));
  // `rbd rename` leaves the notes under the old name.
  auto noted = parse_notes(TRY(work.ceph.notes(pool, "")));
  found.notes = noted[name];
  if (is_of(found.notes, image->id)) found.noted_as = name;
  for (auto& [other, notes] : noted)
    if (found.noted_as.empty() && is_of(notes, image->id)) found.noted_as = other, found.notes = notes;
  TRY(refuse_if_open(work, found.notes, TRY(work.ceph.watchers(pool, image->id))));
  // An automatic lock goes with its client, which would have the image open.
  const auto locked = found.has_lock ? std::nullopt : TRY(work.ceph.lock_owner(pool, name));
  if (locked)
    return make_error(Code::busy,
                      fmt::format("image '{0}' is locked by hand, by client {1}: rbd lock ls {0} shows the "
                                  "lock, rbd lock rm removes it",
                                  name_of(work.key), *locked));
  return found;
}

Result<> RbdBackend::adopt_image(const Work& work, const FoundImage& found) {
  const auto notes = TRY(read_notes(work));
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  if (id && is_of(notes, *id) && notes.owned_by(work.key.uid)) return {};
  const auto now = TRY(look_at(work));
  const std::string owner = now.noted_as.empty() ? "" : now.notes.owner->uid;
  if (now.image.id != found.id || owner != found.owner) return changed(work.key);
  auto taken = take(work, now);
  if (!taken) taken.error().effect = Effect::unknown;
  return taken;
}

Result<> RbdBackend::take(const Work& work, const Foundling& foundling) {
  const auto& [pool, name, uid] = work.key;
  const auto here = TRY(read_notes(work));
  // Nobody has the image open: who is still noted to hold it is dead, or frozen and must not come back to it.
  for (const auto& [host, clients] : foundling.notes.holders) TRY(shut_out(work, clients, kEarlierOwnerTime));
  if (!foundling.has_lock) TRY(work.ceph.enable_features(pool, name, kExclusiveLock));
  std::vector<std::string> left;
  const std::string last_name = foundling.noted_as.empty() ? name : foundling.noted_as;
  for (const auto& [note, unused] : TRY(work.ceph.notes(pool, note::all_of(last_name))))
    if (note != note::owner(last_name)) left.push_back(note);
  TRY(work.ceph.erase_notes(pool, left));
  ImageOwner owner{uid, foundling.image.id, true};
  if (!foundling.noted_as.empty()) {
    owner.found = foundling.notes.owner->found;
    owner.previous = foundling.notes.owner->uid;
  }
  if (!TRY(work.ceph.replace_note(pool, note::owner(name), here.owner ? note::value_of(*here.owner) : "",
                                  note::value_of(owner))))
    return changed(work.key);
  if (last_name != name) TRY(work.ceph.erase_notes(pool, {note::owner(last_name)}));
  return {};
}

Result<> RbdBackend::release_image(const Work& work) {
  const auto notes = TRY(read_notes(work));
  if (!notes.owned_by(work.key.uid)) return {};
  if (!notes.owner->adopted())
    return make_error(Code::conflict, fmt::format("image '{}' was made for volume {}, not adopted",
                                                  name_of(work.key), work.key.uid));
  const std::string name = note::owner(work.key.image);
  const auto& owner = *notes.owner;
  if (owner.previous.empty()) return work.ceph.erase_notes(work.key.pool, {name});
  const ImageOwner before{owner.previous, owner.image_id, owner.found};
  if (!TRY(work.ceph.replace_note(work.key.pool, name, note::value_of(owner), note::value_of(before))))
    return changed(work.key);
  return {};
}

}  // namespace volplugin::backend
