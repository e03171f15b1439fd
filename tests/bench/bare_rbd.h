// SPDX-License-Identifier: Apache-2.0
// Images and snapshots of a Ceph pool with librbd alone, on one connection. An image has 10 GiB and the
// features of Ceph's default. One thread.
#pragma once

#include <string>

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

  // Whose the image is, as the driver notes it: a value in the omap of one object.
  void note_owner(const std::string& image);
  void erase_note(const std::string& image);

 private:
  rados_t cluster_ = nullptr;
  rados_ioctx_t pool_ = nullptr;
};

}  // namespace volplugin::bench
