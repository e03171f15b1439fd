// SPDX-License-Identifier: Apache-2.0
// Attaching and detaching. Both are also recovery: what an earlier call or an earlier life of this host left
// is taken up or cleared away first.
#include "backend/rbd/rbd_backend.h"
#include "os/block_device.h"
#include "os/file.h"
#include "os/mount.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <sstream>

namespace volplugin::backend {
namespace {

// What a host had under way when it was switched off is gone long before.
constexpr std::chrono::hours kGoneTime{1};
constexpr Millis kSnapshotTime{2'000};  // that taking one has the image open, at most
constexpr Millis kLookAgain{10};
constexpr mode_t kDirectoryMode = 0700, kFileMode = 0600;

// Which image the directory is about: its volume's uid and its id.
std::string memory_file(const LocalImage& image) {
  return image.directory + "/image";
}

}  // namespace

LocalImage RbdBackend::local(const ImageKey& key, const std::string& id) const {
  return {key.pool, key.image, id,
          fmt::format("{}/{}/{}/{}", config_.state_dir, config_.host, key.pool, key.image)};
}

// What this host had mapped last under that name; nullopt: nothing was, or all is cleared away.
Result<std::optional<RbdBackend::Memory>> RbdBackend::memory_of(const ImageKey& key) const {
  Memory memory{"", local(key, "")};
  const auto text = os::read_file(memory_file(memory.image));
  if (!text && text.error().code == Code::not_found) return std::optional<Memory>();
  if (!text) return text.error();
  std::istringstream words(*text);
  words >> memory.uid >> memory.image.id;
  return std::optional(std::move(memory));
}

// The same, if it is the image of the key.
Result<std::optional<LocalImage>> RbdBackend::remembered(const ImageKey& key) const {
  auto memory = TRY(memory_of(key));
  if (!memory || memory->uid != key.uid) return std::optional<LocalImage>();
  return std::optional(std::move(memory->image));
}

Result<std::unique_ptr<Attachment>> RbdBackend::attach_image(const Work& work) {
  // The notes first: whoever is noted there has the image open when it is looked at, or is gone.
  const auto notes = TRY(read_notes(work));
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  if (!id) return make_error(Code::not_found, fmt::format("image '{}' does not exist", name_of(work.key)));
  TRY(require_ours(work.key, notes, *id));
  const LocalImage here = local(work.key, *id);
  TRY(clear_earlier(work, here));
  const bool mapped = TRY(mapper_->anything_left(here));
  if (mapped && !TRY(remembered(work.key)))
    return make_error(
        Code::busy,
        fmt::format("image '{}' is mapped on this host by somebody else: unmap it first", name_of(work.key)));
  const Clients open_by = TRY(work.ceph.watchers(work.key.pool, *id));
  TRY(make_way(work, notes, open_by, mapped));
  return map_and_note(work, here, mapped ? Clients() : open_by);
}

// An earlier image of that name may still be mapped here: it was removed while this host could not be
// reached.
Result<> RbdBackend::clear_earlier(const Work& work, const LocalImage& image) {
  const auto memory = TRY(memory_of(work.key));
  if (!memory || (memory->uid == work.key.uid && memory->image.id == image.id)) return {};
  if (const auto device = TRY(mapper_->find(memory->image)); device && TRY(os::in_use(device->device())))
    return make_error(Code::busy, fmt::format("'{}' still shows an earlier image '{}' and is in use",
                                              device->device(), name_of(work.key)));
  TRY(mapper_->unmap(work.op, memory->image));
  return {};
}

// Whoever held the image before and is gone is shut out; whoever is there is in the way.
Result<> RbdBackend::make_way(const Work& work, const ImageNotes& notes, const Clients& open_by,
                              bool mapped) {
  const std::string& me = config_.host;
  if (notes.fenced.contains(me)) {
    // Nothing of it is here: that is what lifting the fence waits for.
    if (!mapped) TRY(work.ceph.erase_notes(work.key.pool, {note::holder(work.key.image, me)}));
    return make_error(Code::permission_denied,
                      fmt::format("host '{}' was cut off from image '{}' when another host took it over", me,
                                  name_of(work.key)));
  }
  for (const auto& [host, clients] : notes.holders) {
    if (notes.fenced.contains(host)) continue;
    if (host == me) {
      if (!mapped) TRY(shut_out_dead(work));
      continue;
    }
    for (const auto& client : clients)
      if (contains(open_by, client))
        return make_error(Code::busy, fmt::format("image '{}' is attached on host '{}' (client {})",
                                                  name_of(work.key), host, client));
    TRY(fence_host(work, host));  // it is dead or frozen, and nobody thinks that it holds the volume
  }
  return {};
}

// `others`: clients that had the image open before it was mapped here.
Result<std::unique_ptr<Attachment>> RbdBackend::map_and_note(const Work& work, const LocalImage& image,
                                                             const Clients& others) {
  TRY(os::ensure_directory(image.directory, kDirectoryMode));
  TRY(os::write_file_atomically(memory_file(image), fmt::format("{} {}\n", work.key.uid, image.id), kFileMode,
                                os::Durability::none));
  auto mapped = mapper_->map(work.op, image);
  auto noted = mapped ? note_holding(work, image, others) : Result<>(mapped.error());
  if (noted) noted = confirm_holding(work);
  if (noted) return mapped;
  if (mapped && TRY(os::in_use((*mapped)->device())))
    return noted.error();  // mounted already: not ours to undo
  if (mapped) mapped->reset();
  Error error = noted.error();
  if (const auto undone = let_go(work.op.for_cleanup(kCephCallTimeout), work.key, image); !undone) {
    error.message += "; undoing failed too: " + undone.error().message;
    error.effect = Effect::unknown;
  }
  return error;
}

// Through which client this host holds the image. One that the mapper cannot name has it open since it was
// mapped, and is no other host's. A volmaster that takes a snapshot right now has it open, too, and goes
// again.
Result<> RbdBackend::note_holding(const Work& work, const LocalImage& image, const Clients& others) {
  Clients clients;
  if (const auto known = TRY(mapper_->client_of(image))) {
    clients = {*known};
  } else {
    const auto notes = TRY(read_notes(work));
    const Op patience = work.op.with_timeout(kSnapshotTime);
    do {
      clients = TRY(work.ceph.watchers(image.pool, image.id));
      std::erase_if(clients, [&](const auto& client) {
        return contains(others, client) || held_for_another(notes, config_.host, client);
      });
    } while (clients.size() > 1 && patience.sleep(kLookAgain));
  }
  if (clients.empty())
    return make_error(
        Code::unavailable,
        fmt::format("image '{}' is mapped, and the cluster does not know that", name_of(work.key)));
  return set_note(work, note::holder(work.key.image, config_.host), note::value_of(clients));
}

// Now that our note is there: was somebody faster?
Result<> RbdBackend::confirm_holding(const Work& work) {
  const auto notes = TRY(read_notes(work));
  if (notes.fenced.contains(config_.host))
    return make_error(Code::permission_denied,
                      fmt::format("host '{}' was cut off from image '{}'", config_.host, name_of(work.key)));
  for (const auto& [host, unused] : notes.holders)
    if (host != config_.host && !notes.fenced.contains(host))
      return make_error(
          Code::busy, fmt::format("host '{}' attaches image '{}' at the same time", host, name_of(work.key)));
  return {};
}

// Ends all that makes this host a holder of the image; the device is not in use. A client that died, perhaps
// with the whole host, has the image in the eyes of the cluster for another while, and the next one would
// wait for it.
Result<> RbdBackend::let_go(const Op& op, const ImageKey& key, const LocalImage& image) {
  const Unmapped how = TRY(mapper_->unmap(op, image));
  const auto ceph = TRY(links_->to(key.pool));
  if (how == Unmapped::lost) TRY(shut_out_dead(Work{op, key, *ceph}));
  TRY(ceph->erase_notes(key.pool, {note::holder(key.image, config_.host)}));
  std::error_code failed;
  std::filesystem::remove_all(image.directory, failed);
  if (failed) return errno_error(failed.value(), fmt::format("removing '{}'", image.directory));
  return {};
}

// Those of our clients that still have the image or its lock, though none of them runs any more. One that let
// go in order, and only could not note that, is no client any more.
Result<> RbdBackend::shut_out_dead(const Work& work) {
  const auto notes = TRY(read_notes(work));
  const auto mine = notes.holders.find(config_.host);
  if (mine == notes.holders.end() || notes.fenced.contains(config_.host)) return {};
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  const auto open_by = id ? TRY(work.ceph.watchers(work.key.pool, *id)) : Clients();
  const auto owner = TRY(work.ceph.lock_owner(work.key.pool, work.key.image));
  Clients dead = mine->second;
  std::erase_if(dead, [&](const auto& client) { return !contains(open_by, client) && owner != client; });
  return shut_out(work, dead, kGoneTime);
}

Result<std::unique_ptr<Attachment>> RbdBackend::find_attachment(const Op& op, const ImageKey& key) {
  const auto image = TRY(remembered(key));
  if (!image) return std::unique_ptr<Attachment>();
  if (auto device = TRY(mapper_->find(*image))) return device;
  // A crash came between the cluster and the device, or this host was started anew.
  TRY(let_go(op, key, *image));
  return std::unique_ptr<Attachment>();
}

Result<> RbdBackend::detach_image(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) {
  const auto image = TRY(remembered(key));
  if (!image) return {};
  if (!attachment) attachment = TRY(mapper_->find(*image));
  if (attachment && TRY(os::in_use(attachment->device())))
    return make_error(Code::busy, fmt::format("'{}' is in use, perhaps mounted in another mount namespace",
                                              attachment->device()));
  attachment.reset();
  return let_go(op, key, *image);
}

}  // namespace volplugin::backend
