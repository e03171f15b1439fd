// SPDX-License-Identifier: Apache-2.0
// SimCluster: the storage and the hosts that SimBackend objects share, in memory. Stands for what
// outlives a process (images, attached devices, mounts) and, for crash_host(), what does not.
// Devices behave like loop devices with AUTOCLEAR: a device lives while somebody holds or uses it.
// Threads: any; one mutex. Keep it alive with shared_ptr: attachments refer to it.
#pragma once

#include "backend/adoption.h"
#include "backend/snapshots.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace volplugin::backend {

class SimCluster : public std::enable_shared_from_this<SimCluster> {
 public:
  // host_local: every host has images of its own. cluster: one set, seen by every host.
  SimCluster(Scope scope, Bytes pool_capacity) : scope_(scope), pool_capacity_(pool_capacity) {}

  Scope scope() const { return scope_; }

  // For tests and simulated mounting.
  // A user of a device besides the attachments: a mount. Ends with the object; a crash of the host ends
  // it early. Errors: not_found when the device does not exist.
  class Use {
   public:
    virtual ~Use() = default;
  };
  Result<std::unique_ptr<Use>> use_device(const std::string& host, const std::string& device);
  // The machine loses power: its devices and uses are gone, images stay.
  void crash_host(const std::string& host);
  // An image somebody else made; `uid` empty or not of ours. It begins with `content`, zeros follow.
  void put_foreign(const std::string& host, const ImageKey& key, Bytes size, std::string content = "");
  // Hosts on which the image is attached now, sorted: more than one is for the caller to avoid.
  std::vector<std::string> attached_hosts(const std::string& host, const ImageKey& key) const;

  // A clone stands on the snapshot from now on, or no more.
  void protect(const SnapshotKey& key, bool is_needed);

  // What SimBackend of `host` does; the contract is in backend.h.
  Result<EnsureOutcome> ensure(const std::string& host, const ImageKey& key, Bytes size);
  Result<Removed> remove(const std::string& host, const ImageKey& key);
  std::optional<ImageInfo> inspect(const std::string& host, const ImageKey& key) const;
  std::vector<ImageInfo> list(const std::string& host, const std::string& pool) const;
  PoolInfo inspect_pool(const std::string& host, const std::string& pool) const;
  Result<std::unique_ptr<Attachment>> attach(const std::string& host, const ImageKey& key);
  std::unique_ptr<Attachment> attached_here(const std::string& host, const ImageKey& key);
  // `attachment` is given up first. Errors: busy while a use or another attachment is left.
  Result<> detach(const std::string& host, const ImageKey& key, std::unique_ptr<Attachment> attachment);
  // Of the backend's fencing.
  Result<> fence(const ImageKey& key, const std::string& host);
  Result<> lift(const ImageKey& key, const std::string& host);
  // Of its snapshots.
  Result<Ensured> ensure_snapshot(const SnapshotKey& key);
  Result<Removed> remove_snapshot(const SnapshotKey& key);
  Result<std::vector<SnapshotInfo>> list_snapshots(const ImageKey& image) const;
  // Of its adoption.
  Result<FoundImage> find_image(const ImageKey& key) const;
  Result<std::string> read(const ImageKey& key, Bytes offset, Bytes length) const;
  Result<> adopt(const ImageKey& key, const FoundImage& found);
  Result<> release(const ImageKey& key);

  // What a program on `host` that has the image mounted tries: a write. Errors: unavailable (not attached
  // there), permission_denied (fenced).
  Result<> write(const std::string& host, const ImageKey& key) const;

 private:
  // Where an image is: host is empty when the whole cluster sees it.
  struct Place {
    std::string host, pool, image;
    auto operator<=>(const Place&) const = default;
  };
  struct Snapshot {
    SnapshotInfo info;
    bool needed = false;
  };
  struct Image {
    std::string uid;
    Bytes size;
    bool foreign = false;
    unsigned long id = 0;
    bool made = true;  // by a volplugin, at some time
    std::string content{};
    // Of an adopted one: what it was before.
    std::optional<std::string> previous{};  // uid; empty: foreign
    std::set<std::string> fenced{};         // hosts
    std::vector<Snapshot> snapshots{};      // oldest first
  };
  struct Device {
    Place place;
    unsigned long serial = 0;  // tells this device from a later one with the same name
    int holds = 0;
    int uses = 0;
  };
  struct DeviceKey {
    std::string host, device;
    auto operator<=>(const DeviceKey&) const = default;
  };
  enum class Grip { hold, use };
  class Held;
  class Used;

  // All require the mutex.
  Place place_of(const std::string& host, const ImageKey& key) const;
  PoolInfo pool_locked(const std::string& host, const std::string& pool) const;
  std::map<DeviceKey, Device>::iterator device_of(const std::string& host, const Place& place);
  std::vector<std::string> hosts_showing(const Place& place) const;
  // Null: no such image, or another volume's.
  Image* owned_locked(const ImageKey& key);
  Result<FoundImage> find_locked(const Place& place) const;
  std::unique_ptr<Attachment> hold_locked(const DeviceKey& key, Device& device);

  void let_go(const DeviceKey& key, unsigned long serial, Grip grip);

  const Scope scope_;
  const Bytes pool_capacity_;
  mutable std::mutex mutex_;
  std::map<Place, Image> images_;
  std::map<DeviceKey, Device> devices_;
  unsigned long next_serial_ = 1;
};

}  // namespace volplugin::backend
