// SPDX-License-Identifier: Apache-2.0
// Settings of the loop backend.
#pragma once

#include "backend/backend.h"

#include <map>
#include <string>

namespace volplugin::backend {

enum class Overcommit { no, yes };

struct LoopPool {
  std::string directory;  // empty: below pools_dir. Otherwise, and in a cluster, it has to exist already
  Overcommit overcommit = Overcommit::no;
};

struct LoopConfig {
  std::string pools_dir;                  // every pool not placed elsewhere is a directory in it
  std::map<std::string, LoopPool> pools;  // only those that differ from the default
  // cluster: all pools lie in a file system that every host has at the same path. None is made then, as
  // a missing one means that the file system is not mounted here.
  Scope scope = Scope::host_local;
};

}  // namespace volplugin::backend
