// SPDX-License-Identifier: Apache-2.0
// An image of Ceph as a file, and so as a block device, on a kernel without krbd: qemu-storage-daemon,
// started as the driver starts it. One at a time in a directory; two sides may not serve at once. One thread.
#pragma once

#include "bare_rbd.h"

#include <string>

namespace volplugin::bench {

class ImageServer {
 public:
  // `directory` must exist.
  ImageServer(CephPool where, const std::string& directory);

  void start(const std::string& image);  // returns when file() shows the image
  void stop();                           // and waits for its end; nobody may use the file any more
  const std::string& file() const { return file_; }

 private:
  CephPool where_;
  std::string file_, pid_file_;
};

}  // namespace volplugin::bench
