// SPDX-License-Identifier: Apache-2.0
// What a storage driver gives to be held to the contracts of backend/backend.h, backend/fencing.h,
// backend/adoption.h and backend/snapshots.h. The suites are in
// backend_{contract,fencing,adoption,snapshots}_test.cc; add an environment to
// backend_environments() and they run there too.
#pragma once

#include "backend/snapshots.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace volplugin::backend {

// One driver over storage of its own, empty at the start and gone at the end.
class BackendEnvironment {
 public:
  virtual ~BackendEnvironment() = default;

  // Empty: can run here. Otherwise why not; the tests are skipped with that.
  virtual std::string unable() const { return ""; }
  virtual Backend& backend() = 0;
  // Another process on this host: the old object is gone, storage and devices are as they were.
  virtual void restart() = 0;
  // The driver on another host, or null: the storage is local to one, or a second host would need a kernel of
  // its own (loop devices are seen by all of one kernel).
  virtual Backend* other_host() { return nullptr; }
  // What fence() calls the hosts of backend() and other_host().
  virtual std::string host_name() const { return "host1"; }
  virtual std::string other_host_name() const { return "host2"; }
  virtual std::string pool() const { return "pool"; }

  // Data of somebody else under that name, without a uid.
  virtual void put_foreign(const std::string& image) = 0;
  virtual bool foreign_untouched(const std::string& image) = 0;

  // Here for drivers with snapshots(). Somebody needs the snapshot from now on, or no more.
  virtual void protect(const SnapshotKey& key, bool needed);
  // The text at the start of what it holds, as of read_at_start().
  virtual std::string start_of(const SnapshotKey& key);
  // Whether they can be taken and removed while a host has the image attached.
  virtual bool snapshots_while_attached() const { return true; }

  // Uses the device as a mount in another process's mount namespace does, until the result is destroyed.
  virtual std::shared_ptr<void> use_elsewhere(const std::string& device) = 0;
  // Whether devices can be opened and keep what is written to them.
  virtual bool holds_data() const = 0;
  // A program on `host`, which shows the image as `device`, writes at its start, past all caches. Whether the
  // write succeeded. Here for devices that hold data.
  virtual bool write(const std::string& host, const ImageKey& key, const std::string& device,
                     const std::string& text);
  // Stops everything `host` does for its devices, in the middle, until the result is destroyed: a virtual
  // machine that is paused. Null: this cannot be had.
  virtual std::shared_ptr<void> freeze(const std::string& host);
  // Whether a new image reads as zeros everywhere, and not only where file systems look for signatures.
  virtual bool zeroed() const { return true; }
  // Whether a device that nobody mounted goes away with the process that attached it. Where it stays,
  // recovery finds and detaches it.
  virtual bool devices_end_with_their_process() const { return true; }
  // Whether more may be promised than the pool can hold.
  virtual bool overcommits() const { return false; }
  // Whether "a/b" names a pool.
  virtual bool pools_have_parts() const { return false; }
  // How many of `repetitions` this driver has time for.
  virtual int affordable(int repetitions) const { return repetitions; }
};

struct BackendCase {
  std::string name;  // letters, digits and '_'
  std::function<std::unique_ptr<BackendEnvironment>()> make;
  bool fences = false;  // the driver has fencing(); then there are an other_host() and the suite of fencing.h
  bool adopts = false;  // it has adoption(); it fences, too, and there is the suite of adoption.h
  bool snapshots = false;  // it has snapshots(), and an other_host(); there is the suite of snapshots.h
};

std::vector<BackendCase> backend_environments();

}  // namespace volplugin::backend
