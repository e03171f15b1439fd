// SPDX-License-Identifier: Apache-2.0
// The same four steps without volplugin: the system calls that the work itself takes, the same mkfs, and
// one durable record per commit that the design needs (create 2, mount 1, unmount 1, remove 2). It checks
// nothing, locks nothing and could not recover from a crash: it is the floor, not a rival.
#pragma once

#include "bare_device.h"

#include <cstdint>
#include <string>

namespace volplugin::bench {

class BareVolumes {
 public:
  // Images, mount points and the log go below `directory`, which must exist.
  BareVolumes(const std::string& directory, std::uint64_t size);
  BareVolumes(const BareVolumes&) = delete;
  BareVolumes& operator=(const BareVolumes&) = delete;
  ~BareVolumes();

  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void remove(const std::string& name);

 private:
  std::string image_of(const std::string& name) const { return images_ + "/" + name; }
  std::string mount_point_of(const std::string& name) const { return mounts_ + "/" + name; }
  void record();
  void make_image(const std::string& name);

  std::string images_;
  std::string mounts_;
  std::uint64_t size_;
  int log_ = -1;
  off_t log_end_ = 0;
  LoopDevice mounted_;
};

}  // namespace volplugin::bench
