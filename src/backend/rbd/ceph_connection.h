// SPDX-License-Identifier: Apache-2.0
// CephConnection: what the driver asks of a Ceph cluster. Its only implementation is in module/, which is
// linked with librados and librbd and loaded at run time, so that hosts without Ceph need neither.
//
// Every function blocks until the cluster answers, at most kCallTimeout for each request to it (librados
// cannot be interrupted; calls.h lets callers go at their deadline). None is retried here.
// Errors common to all: unavailable (no answer, or this connection was blocklisted), not_found (no such
// pool), permission_denied (the Ceph user may not), with effect unknown where something may have been
// changed. Threads: any, any number at once.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::backend {

struct CephSettings {
  std::string conf = "/etc/ceph/ceph.conf";
  std::string user = "admin";  // without "client."
  std::string keyring;         // empty: where ceph.conf says
};

inline constexpr Millis kCephCallTimeout{30'000};
inline constexpr Millis kCephConnectTimeout{10'000};

// What one look at an image tells: opening it is what takes time (some ten questions to the cluster).
struct CephImage {
  std::string id;  // of this image; another one of the same name has another
  Bytes size;
  bool has_snapshots = false;
};

struct CephSnapshot {
  std::string name;
  Bytes size;
  WallTime taken_at{};
  bool needed = false;  // protected, or clones stand on it: it cannot be removed
};

// Small values by name, all in one object of a pool. See image_notes.h for what is noted.
using Notes = std::map<std::string, std::string>;

class CephConnection {
 public:
  virtual ~CephConnection() = default;

  // False once the cluster has shut this connection out: open another one.
  virtual bool usable() const = 0;

  // Errors: not_found. Asks the cluster only for a pool that is not known yet.
  virtual Result<> check_pool(const std::string& pool) = 0;

  // Errors: already_exists.
  virtual Result<> create_image(const std::string& pool, const std::string& image, Bytes size,
                                std::uint64_t features) = 0;
  // nullopt: no such image. Errors: unsupported (of the format that has no id).
  virtual Result<std::optional<CephImage>> find_image(const std::string& pool, const std::string& image) = 0;
  // Its id alone, which is two questions. nullopt: no such image. Errors: unsupported (as above).
  virtual Result<std::optional<std::string>> image_id(const std::string& pool, const std::string& image) = 0;
  // Names of all images.
  virtual Result<std::vector<std::string>> image_names(const std::string& pool) = 0;
  // librbd's numbers, RBD_FEATURE_*. Errors: not_found.
  virtual Result<std::uint64_t> features(const std::string& pool, const std::string& image) = 0;
  // Those that it has already: success. Errors: not_found.
  virtual Result<> enable_features(const std::string& pool, const std::string& image,
                                   std::uint64_t features) = 0;
  // Fewer bytes at the end of the image. Nobody sees it as being in use. Errors: not_found.
  virtual Result<std::string> read(const std::string& pool, const std::string& image, Bytes offset,
                                   Bytes length) = 0;
  // Space that holds data, in whole objects. Errors: not_found.
  virtual Result<Bytes> used(const std::string& pool, const std::string& image) = 0;
  // Errors: not_found, busy (a client has it open, or it has snapshots).
  virtual Result<> remove_image(const std::string& pool, const std::string& image) = 0;

  // Of an image that is not there any more, or not yet: what a call of ours left that was cut short while it
  // made or removed it. `id` may be empty. Nothing left: success.
  virtual Result<> clear_remains(const std::string& pool, const std::string& image,
                                 const std::string& id) = 0;

  // Clients that have the image of that id open for writing: "10.0.0.1:0/3123". No such image: empty. One
  // question.
  virtual Result<std::vector<std::string>> watchers(const std::string& pool, const std::string& id) = 0;
  // The client that has the exclusive lock, or nothing.
  virtual Result<std::optional<std::string>> lock_owner(const std::string& pool,
                                                        const std::string& image) = 0;
  // Takes the lock from `owner`, who must be blocklisted. Not the owner any more: success.
  virtual Result<> break_lock(const std::string& pool, const std::string& image,
                              const std::string& owner) = 0;
  // From the return on, and for so long, the cluster takes nothing from that client. Idempotent.
  virtual Result<> blocklist(const std::string& client, std::chrono::seconds time) = 0;

  // Oldest first. No such image: empty.
  virtual Result<std::vector<CephSnapshot>> snapshots(const std::string& pool, const std::string& image) = 0;
  // Of the image with that id. Errors: not_found (or another image has the name), already_exists, busy (a
  // client keeps the image's lock).
  virtual Result<> take_snapshot(const std::string& pool, const std::string& image, const std::string& id,
                                 const std::string& snapshot) = 0;
  // Errors: not_found, busy (protected, or a clone stands on it; a client keeps the image's lock).
  virtual Result<> remove_snapshot(const std::string& pool, const std::string& image,
                                   const std::string& snapshot) = 0;

  // Notes whose names begin with `prefix`, in the order of names.
  virtual Result<Notes> notes(const std::string& pool, const std::string& prefix) = 0;
  // False, and nothing changed: the note is not `expected` (empty: absent).
  virtual Result<bool> replace_note(const std::string& pool, const std::string& name,
                                    const std::string& expected, const std::string& value) = 0;
  // Absent ones: success.
  virtual Result<> erase_notes(const std::string& pool, const std::vector<std::string>& names) = 0;

  // A command of the monitors, as `ceph` sends it. Answers what they say.
  virtual Result<std::string> monitor_command(const std::string& json) = 0;
};

// What the module exports under this name.
inline constexpr char kOpenCephConnection[] = "volplugin_open_ceph_connection";
using OpenCephConnection = void(const CephSettings& settings,
                                Result<std::unique_ptr<CephConnection>>& opened);

}  // namespace volplugin::backend
