// SPDX-License-Identifier: Apache-2.0
#include "bare_lvm.h"

#include "require.h"
#include "run_program.h"

#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::bench {

void BareLvm::create(const std::string& name) {
  run_program({"lvcreate", "-y", "-Wy", "-L", fmt::format("{}M", megabytes_), "-n", name, group_});
  run_program({"mkfs.ext4", "-q", fmt::format("/dev/{}/{}", group_, name)});
}

void BareLvm::mount(const std::string& name) {
  const std::string where = directory_ + "/" + name;
  require(::mkdir(where.c_str(), 0700) == 0, "making " + where);
  run_program({"mount", fmt::format("/dev/{}/{}", group_, name), where});
}

void BareLvm::unmount(const std::string& name) {
  const std::string where = directory_ + "/" + name;
  run_program({"umount", where});
  require(::rmdir(where.c_str()) == 0, "removing " + where);
}

void BareLvm::remove(const std::string& name) {
  run_program({"lvremove", "-y", fmt::format("{}/{}", group_, name)});
}

}  // namespace volplugin::bench
