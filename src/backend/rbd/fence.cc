// SPDX-License-Identifier: Apache-2.0
// Fencing. A client is blocklisted for longer than any host stays frozen: when the entry ended before, what
// the host had under way would reach the image after all. lift() ends it as soon as the host has let go.
#include "backend/rbd/rbd_backend.h"

#include <algorithm>

namespace volplugin::backend {
namespace {

constexpr std::chrono::seconds kFenceTime = std::chrono::years(1);

void add(Clients& clients, const Clients& more) {
  for (const auto& client : more)
    if (!contains(clients, client)) clients.push_back(client);
}

}  // namespace

Result<> RbdBackend::fence_host(const Work& work, const std::string& host) {
  auto notes = TRY(read_notes(work));
  const auto id = TRY(work.ceph.image_id(work.key.pool, work.key.image));
  if (!id || !notes.owned_by(work.key.uid))
    return make_error(Code::not_found, fmt::format("image '{}/{}' of volume {} does not exist", work.key.pool,
                                                   work.key.image, work.key.uid));
  const std::string name = note::fenced(work.key.image, host);
  Clients clients = notes.fenced[host];
  // From here on the host can attach nothing new: it looks for this note after it has noted its client.
  TRY(set_note(work, name, note::value_of(clients)));
  notes = TRY(read_notes(work));
  add(clients, notes.holders[host]);
  const auto owner = TRY(work.ceph.lock_owner(work.key.pool, work.key.image));
  if (owner && !held_for_another(notes, host, *owner)) add(clients, {*owner});
  TRY(set_note(work, name, note::value_of(clients)));
  return shut_out(work, clients, kFenceTime);
}

Result<> RbdBackend::shut_out(const Work& work, const Clients& clients, std::chrono::seconds time) {
  for (const auto& client : clients) TRY(work.ceph.blocklist(client, time));
  const auto owner = TRY(work.ceph.lock_owner(work.key.pool, work.key.image));
  if (owner && contains(clients, *owner)) TRY(work.ceph.break_lock(work.key.pool, work.key.image, *owner));
  return {};
}

Result<> RbdBackend::lift_host(const Work& work, const std::string& host) {
  const auto notes = TRY(read_notes(work));
  const auto fenced = notes.fenced.find(host);
  if (fenced == notes.fenced.end()) return {};
  if (notes.holders.contains(host))
    return make_error(Code::busy,
                      fmt::format("image '{}' is still attached on host '{}'", name_of(work.key), host));
  for (const auto& client : fenced->second) {
    const auto ended = work.ceph.monitor_command(
        fmt::format(R"({{"prefix":"osd blocklist","blocklistop":"rm","addr":"{}"}})", client));
    // A user without the right to end it leaves it to its time. The client is gone for good anyway.
    if (!ended && ended.error().code != Code::permission_denied && ended.error().code != Code::not_found)
      return ended.error();
  }
  return work.ceph.erase_notes(work.key.pool, {note::fenced(work.key.image, host)});
}

}  // namespace volplugin::backend
