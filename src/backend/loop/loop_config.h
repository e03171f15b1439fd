// SPDX-License-Identifier: Apache-2.0
// Settings of the loop backend.
#pragma once

#include <map>
#include <string>

namespace volplugin::backend {

enum class Overcommit { no, yes };

struct LoopPool {
  std::string directory;  // empty: below pools_dir. Otherwise it has to exist already
  Overcommit overcommit = Overcommit::no;
};

struct LoopConfig {
  std::string pools_dir;                  // every pool not placed elsewhere is a directory in it
  std::map<std::string, LoopPool> pools;  // only those that differ from the default
};

}  // namespace volplugin::backend
