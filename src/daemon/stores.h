// SPDX-License-Identifier: Apache-2.0
// The stores a control plane can stand on. Each has a source file of its own, so that a program links only
// the libraries of those it names.
#pragma once

#include "daemon/settings.h"
#include "kv/store.h"

#include <functional>
#include <memory>
#include <string>

namespace volplugin::daemon {

struct StoreSource {
  std::string shown;  // in health; empty: nothing
  // A server of its own, which several processes use at once: they see each other's changes, and it can be
  // away when this one starts. Otherwise: a file that this process alone has open.
  bool is_shared = false;
  std::function<Result<std::unique_ptr<kv::Store>>(const Clock& clock)> open;
};

// "sqlite:PATH". Opening it fails with invalid_argument for anything else.
StoreSource sqlite_source(std::string spec);

// Reads the password from its file when it is opened.
StoreSource etcd_source(kv::EtcdSettings settings, std::string password_file);

}  // namespace volplugin::daemon
