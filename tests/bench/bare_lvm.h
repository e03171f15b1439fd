// SPDX-License-Identifier: Apache-2.0
// The same four steps without a plugin: the programs that somebody would type, one after the other.
#pragma once

#include <string>
#include <vector>

namespace volplugin::bench {

class BareLvm {
 public:
  // Mount points go below `directory`, which must exist.
  BareLvm(std::string group, int megabytes, std::string directory)
      : group_(std::move(group)), megabytes_(megabytes), directory_(std::move(directory)) {}

  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void remove(const std::string& name);

 private:
  std::string group_;
  int megabytes_;
  std::string directory_;
};

}  // namespace volplugin::bench
