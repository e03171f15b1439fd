// SPDX-License-Identifier: Apache-2.0
// Images and snapshots of a Ceph pool without volplugin: what librbd itself takes on one connection, which is
// the floor for the driver, and what somebody takes who types commands. An image has 10 GiB and the features
// of Ceph's default. One thread each.
#pragma once

#include <string>
#include <vector>

#include <rados/librados.h>
#include <rbd/librbd.h>

namespace volplugin::bench {

struct CephPool {
  std::string conf;
  std::string user = "admin";  // its keyring is where the conf says
  std::string pool;
};

// Each call opens and closes the image, as a program does that keeps no image open.
class BareRbd {
 public:
  explicit BareRbd(const CephPool& where);
  ~BareRbd();
  BareRbd(const BareRbd&) = delete;
  BareRbd& operator=(const BareRbd&) = delete;

  void create(const std::string& image);
  void snapshot(const std::string& image);
  void remove_snapshot(const std::string& image);
  void remove(const std::string& image);

 private:
  rados_t cluster_ = nullptr;
  rados_ioctx_t pool_ = nullptr;
};

// The program `rbd`, which connects each time.
class RbdCommands {
 public:
  explicit RbdCommands(CephPool where) : where_(std::move(where)) {}

  void create(const std::string& image);
  void snapshot(const std::string& image);
  void remove_snapshot(const std::string& image);
  void remove(const std::string& image);

 private:
  void rbd(std::vector<std::string> arguments);

  CephPool where_;
};

}  // namespace volplugin::bench
