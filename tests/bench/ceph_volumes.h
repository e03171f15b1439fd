// SPDX-License-Identifier: Apache-2.0
// The life of a volume in Ceph in three ways: a bare program on librbd, volplugin, and the commands that one
// would type. Each create makes an image of 10 GiB, shows it as a device and makes the same ext4 on it, with
// the same shell command that tells how long mkfs took. One thread each.
#pragma once

#include "bare_device.h"
#include "bare_rbd.h"
#include "daemon.h"
#include "image_server.h"
#include "plugin_volume.h"
#include "samples.h"

#include <string>
#include <utility>
#include <vector>

namespace volplugin::bench {

// "mkfs.ext4 -q -m0", which leaves its time in a file.
class TimedMkfs {
 public:
  explicit TimedMkfs(std::string file) : file_(std::move(file)) {}
  std::string policy_command() const;  // with `%` for the device
  void run(const std::string& device) const;
  MilliSeconds last() const;

 private:
  std::string file_;
};

// Opens, maps and mounts, and checks only that the device is blank. No records, no locks.
class BareCephVolumes {
 public:
  BareCephVolumes(const CephPool& where, const std::string& directory);  // a new one

  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void snapshot(const std::string& name) { library_.snapshot(name); }
  void remove_snapshot(const std::string& name) { library_.remove_snapshot(name); }
  void remove(const std::string& name);
  MilliSeconds mkfs_time() const { return mkfs_.last(); }

  // What a create is made of, besides mkfs; the last one.
  struct Parts {
    MilliSeconds image, attach, detach;
  };
  const Parts& parts() const { return parts_; }

 private:
  void detach(const LoopDevice& device);

  BareRbd library_;
  ImageServer server_;
  TimedMkfs mkfs_;
  std::string mount_point_;
  LoopDevice mounted_;
  Parts parts_;
};

// `rbd`, qemu-storage-daemon, losetup, mkfs, mount and umount, each a program.
class CommandCephVolumes {
 public:
  CommandCephVolumes(const CephPool& where, const std::string& directory);  // a new one

  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void snapshot(const std::string& name);
  void remove_snapshot(const std::string& name);
  void remove(const std::string& name);
  MilliSeconds mkfs_time() const { return mkfs_.last(); }

 private:
  void rbd(std::vector<std::string> arguments);
  void attach(const std::string& name);

  CephPool where_;
  ImageServer server_;
  TimedMkfs mkfs_;
  std::string mount_point_, device_;
};

// `volplugin --standalone`: create, snapshot and remove by REST, as volcli asks for them; mount and unmount
// by the plugin protocol, as dockerd does.
class VolpluginCephVolumes {
 public:
  // `program`: the path of volplugin.
  VolpluginCephVolumes(const std::string& program, const CephPool& where, const std::string& directory);

  void create(const std::string& name);
  void mount(const std::string& name);
  void unmount(const std::string& name);
  void snapshot(const std::string& name);
  void remove_snapshot(const std::string& name);
  void remove(const std::string& name);
  MilliSeconds mkfs_time() const { return mkfs_.last(); }

 private:
  Daemon daemon_;
  UnixHttp api_;
  PluginVolumes plugin_;
  TimedMkfs mkfs_;
};

}  // namespace volplugin::bench
