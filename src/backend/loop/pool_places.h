// SPDX-License-Identifier: Apache-2.0
// Where the pools of the loop backend are and how much of their file systems is promised to images.
//
// Images are sparse: a pool that is not over-committed must be able to fill every image it holds, so
//   sum over its images (size - allocated) + sizes being made right now + new size <= available.
// Pools on one file system share its space, so the sum runs over all of them. Over-committed pools
// promise nothing and are left out of it.
// Threads: any; holds one mutex during a scan of the pools, never while data is synced.
#pragma once

#include "backend/backend.h"
#include "backend/loop/loop_config.h"
#include "os/file.h"

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace volplugin::backend {

// The names in a directory without dot files; empty when there is no such directory.
std::vector<std::string> names_in(const std::string& directory);

class PoolPlaces {
 public:
  explicit PoolPlaces(LoopConfig config) : config_(std::move(config)) {}

  std::string directory_of(const std::string& pool) const;

  // Makes a pool below pools_dir when it is missing; a configured place and a shared pool have to exist
  // (their file system may not be mounted). Idempotent. Errors: not_found, conflict.
  Result<> ensure_pool(const std::string& pool);

  // false: a pool below pools_dir that nobody used yet. Errors: not_found for a configured place and for a
  // shared pool.
  Result<bool> pool_exists(const std::string& pool) const;

  // Space set aside for an image that is being made; given back by publish() or the destructor.
  class Reservation {
   public:
    Reservation(PoolPlaces& places, dev_t device, Bytes size)
        : places_(&places), device_(device), size_(size) {}
    Reservation(Reservation&& other) noexcept
        : places_(std::exchange(other.places_, nullptr)), device_(other.device_), size_(other.size_) {}
    Reservation& operator=(Reservation&&) = delete;
    ~Reservation();

    // Names the image and gives the reservation back in one step, so that nobody counts the image
    // twice or not at all. false: the name is taken.
    Result<bool> publish(const os::FileDescriptor& image, const std::string& path) &&;

   private:
    PoolPlaces* places_;
    dev_t device_;
    Bytes size_;
  };

  // Requires ensure_pool(). Errors: resource_exhausted saying how much is free.
  Result<Reservation> reserve(const std::string& pool, Bytes size);

  Result<PoolInfo> inspect(const std::string& pool);

 private:
  Result<PoolInfo> inspect_locked(const std::string& pool, dev_t device) const;
  std::vector<std::string> pools_on(dev_t device) const;
  bool known_durable(const std::string& pool);
  bool overcommits(const std::string& pool) const;
  void give_back(dev_t device, Bytes size);

  const LoopConfig config_;
  std::mutex mutex_;
  std::map<dev_t, Bytes> reserved_;  // per file system
  std::set<std::string> durable_;    // pools whose directory this process has synced
};

}  // namespace volplugin::backend
