// SPDX-License-Identifier: Apache-2.0
// Where the records are that a command line is about: behind a volmaster, or in etcd itself.
#pragma once

#include "cli/line.h"
#include "kv/etcd/etcd_store.h"

#include <string>
#include <vector>

namespace volplugin::cli {

struct Target {
  // HOST:PORT or unix:///PATH, of which any may be asked; not looked at when there are endpoints of etcd.
  std::vector<std::string> masters;
  kv::EtcdSettings etcd;  // without its password
  std::string etcd_password_file;
};

// --etcd and the flags that belong to it. Else --master, else $VOLPLUGIN_MASTER, else the local socket if
// there is one, else 127.0.0.1:9005; several in one text are separated by commas. Addresses are not looked
// at, files not read. Errors: invalid_argument for flags that exclude or need each other.
Result<Target> target_of(const Line& line);

}  // namespace volplugin::cli
