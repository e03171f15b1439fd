// SPDX-License-Identifier: Apache-2.0
// Backend: the port every storage driver implements. It knows images (raw block storage named
// tenant.volume in a pool) and how to attach them to this host. File systems, mounting, policy and
// records are not its business.
//
// Contract (tests/contract/backend runs it against every driver):
// - Every function is idempotent: repeating it after any crash converges.
// - An image belongs to the volume whose uid it carries. ensure() never adopts, and remove() never
//   removes, an image with another uid or without one: that is somebody else's data. Only Adoption gives
//   one to a volume, when a person said so.
// - ensure() publishes an image whole (right size, right uid) or not at all. It is blank when ensure() has
//   returned; a crash before that may leave a whole image of ours with old data at its start.
// - A blocking call respects its Op and never leaves a half state that repeating does not repair.
// Threads: all functions may be called from any thread at once; calls for one image are serialised by
// the caller (a queue per volume), calls for different images run in parallel.
#pragma once

#include "base/bytes.h"
#include "base/op.h"
#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::backend {

enum class Scope { host_local, cluster };

struct Traits {
  std::string name;  // "loop", "lvm", "ceph", "sim": the word in policies
  Scope scope = Scope::host_local;
  Bytes min_size;          // smallest image
  Bytes granularity;       // sizes are rounded up to a multiple of this
  bool snapshots = false;  // must agree with the optional interfaces below
  bool grow = false;
};

struct ImageKey {
  std::string pool;   // validated by validate_pool()
  std::string image;  // "tenant.volume", made from parsed names only
  std::string uid;    // the volume's uid; proves whose the image is
};

struct ImageInfo {
  std::string image;
  std::string uid;  // empty: not made by volplugin
  Bytes size;       // exact, as made
  Bytes used;       // what it occupies; 0 when the backend cannot tell
};

enum class Ensured { created, already_there };
enum class Removed { removed, already_gone };

struct EnsureOutcome {
  Ensured what;
  Bytes size;  // exact size of the image
};

struct PoolInfo {
  std::string pool;
  Bytes total;
  Bytes available;  // what a new image may take, over-commit rule included
};

// A block device on this host that shows an image. While it lives the device keeps showing that image
// (it cannot be recycled for another one). Destroying it gives up this process's hold only: a mounted
// device stays.
class Attachment {
 public:
  virtual ~Attachment() = default;
  virtual const std::string& device() const = 0;  // "/dev/loop3"
};

class Snapshots;
class Fencing;
class Adoption;

class Backend {
 public:
  virtual ~Backend() = default;

  virtual const Traits& traits() const = 0;
  // Null: this driver takes no snapshots; traits().snapshots says the same.
  virtual Snapshots* snapshots() { return nullptr; }
  // Null: this driver cannot cut a host off. Of no use where images belong to one host.
  virtual Fencing* fencing() { return nullptr; }
  // Null: this driver takes no image that it did not make.
  virtual Adoption* adoption() { return nullptr; }

  // Does not block. Errors: invalid_argument naming the rule a pool name of this backend breaks.
  virtual Result<> validate_pool(const std::string& pool) const = 0;

  // Makes a blank image of at least `size` bytes. already_there: an image with this uid exists with a
  // size that `size` rounds up to. Errors: already_exists (same name, other uid or other size),
  // resource_exhausted (the pool cannot hold it; says how much is free), not_found (no such pool).
  virtual Result<EnsureOutcome> ensure(const Op& op, const ImageKey& key, Bytes size) = 0;

  // Deletes the image. Errors: busy (attached or in use anywhere the backend can see),
  // permission_denied (the image carries another uid).
  virtual Result<Removed> remove(const Op& op, const ImageKey& key) = 0;

  // nullopt: no such image. An image of another uid is reported as it is.
  virtual Result<std::optional<ImageInfo>> inspect(const Op& op, const ImageKey& key) = 0;

  // All images of a pool that volplugin made, and only those.
  virtual Result<std::vector<ImageInfo>> list(const Op& op, const std::string& pool) = 0;

  virtual Result<PoolInfo> inspect_pool(const Op& op, const std::string& pool) = 0;

  // Shows the image as a block device. Attached already: the same device again, never a second one.
  // Errors: not_found, permission_denied (other uid), resource_exhausted (no free device).
  virtual Result<std::unique_ptr<Attachment>> attach(const Op& op, const ImageKey& key) = 0;

  // The attachment that exists already (from before a crash, or a mount), or null.
  virtual Result<std::unique_ptr<Attachment>> attached_here(const Op& op, const ImageKey& key) = 0;

  // Takes the device away. Not attached: success. Errors: busy while anything on this machine, in any
  // mount namespace, still uses it; nothing changed then.
  virtual Result<> detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) = 0;
};

}  // namespace volplugin::backend
