// SPDX-License-Identifier: Apache-2.0
#include "image_server.h"

#include "bare_device.h"
#include "require.h"
#include "run_program.h"

#include <fstream>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr int kPatienceMs = 30'000;

}  // namespace

ImageServer::ImageServer(CephPool where, const std::string& directory)
    : where_(std::move(where)), file_(directory + "/device"), pid_file_(directory + "/pid") {
  ::close(open_or_end(file_, O_CREAT | O_RDWR));
}

void ImageServer::start(const std::string& image) {
  run_program({"qemu-storage-daemon", "--daemonize", "--pidfile", pid_file_, "--blockdev",
               fmt::format("driver=rbd,node-name=image,pool={},image={},user={},conf={},cache.direct=on,"
                           "discard=unmap",
                           where_.pool, image, where_.user, where_.conf),
               "--export",
               fmt::format("type=fuse,id=file,node-name=image,mountpoint={},writable=on,growable=off,"
                           "allow-other=off",
                           file_)});
}

void ImageServer::stop() {
  pid_t pid = 0;
  std::ifstream(pid_file_) >> pid;
  const int process = pid > 0 ? int(::syscall(SYS_pidfd_open, pid, 0)) : -1;
  require(process >= 0, "looking for the server of " + file_);
  require(::syscall(SYS_pidfd_send_signal, process, SIGTERM, nullptr, 0) == 0, "ending a server");
  pollfd ended{process, POLLIN, 0};
  require(::poll(&ended, 1, kPatienceMs) == 1, "waiting for the end of a server");
  ::close(process);
}

}  // namespace volplugin::bench
