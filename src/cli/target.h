// SPDX-License-Identifier: Apache-2.0
// Where the records are that a command line is about: behind a volmaster, or in etcd itself.
#pragma once

#include "cli/line.h"
#include "kv/etcd/etcd_store.h"

#include <string>

namespace volplugin::cli {

struct Target {
  std::string master;     // HOST:PORT or unix:///PATH; not looked at when there are endpoints of etcd
  kv::EtcdSettings etcd;  // without its password
  std::string etcd_password_file;
};

// --etcd and the flags that belong to it. Else --master, else $VOLPLUGIN_MASTER, else the local socket if
// there is one, else 127.0.0.1:9005. Addresses are not looked at, files not read. Errors: invalid_argument
// for flags that exclude or need each other.
Result<Target> target_of(const Line& line);

}  // namespace volplugin::cli
