// SPDX-License-Identifier: Apache-2.0
// What a storage driver gives to be held to the contract of backend/backend.h. The suite is in
// backend_contract_test.cc; add an environment to backend_environments() and it runs there too.
#pragma once

#include "backend/backend.h"

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
  virtual std::string pool() const { return "pool"; }

  // Data of somebody else under that name, without a uid.
  virtual void put_foreign(const std::string& image) = 0;
  virtual bool foreign_untouched(const std::string& image) = 0;

  // Uses the device as a mount in another process's mount namespace does, until the result is destroyed.
  virtual std::shared_ptr<void> use_elsewhere(const std::string& device) = 0;
  // Whether devices can be opened and keep what is written to them.
  virtual bool holds_data() const = 0;
  // Whether a new image reads as zeros everywhere, and not only where file systems look for signatures.
  virtual bool zeroed() const { return true; }
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
};

std::vector<BackendCase> backend_environments();

}  // namespace volplugin::backend
