// SPDX-License-Identifier: Apache-2.0
#include "backend/rbd/userspace_mapper.h"

#include "backend/loop_attachment.h"
#include "os/block_device.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/mount_table.h"
#include "os/process.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace volplugin::backend {
namespace {

constexpr char kServer[] = "qemu-storage-daemon";
constexpr char kPackages[] = "qemu-system-common and qemu-block-extra";
constexpr mode_t kFileMode = 0600;
constexpr Millis kEndPatience{5'000};  // of a server that was asked to end; then it is killed
// As krbd's: what is made through one of the two is mounted through the other.
constexpr std::uint32_t kSectorSize = 512;
constexpr Millis kLoopPatience{5'000};  // for the kernel to let go of a loop device
constexpr Millis kPause{1};

std::string file_of(const LocalImage& image) {
  return image.directory + "/device";
}

std::string conf_of(const LocalImage& image) {
  return image.directory + "/ceph.conf";
}

// A value in qemu's key=value lists: a comma is written twice.
std::string in_list(std::string text) {
  for (size_t at = text.find(','); at != text.npos; at = text.find(',', at + 2)) text.insert(at, ",");
  return text;
}

// Whether the server's file is there and answers.
bool served(const LocalImage& image) {
  struct stat status{};
  const auto mounted = os::find_mount(file_of(image));
  return mounted && *mounted && ::stat(file_of(image).c_str(), &status) == 0;
}

// Whether the process was started for this image: what it was called with tells.
bool serves(const std::string& pid, const LocalImage& image) {
  const auto line = os::read_file("/proc/" + pid + "/cmdline");
  return line && line->contains(kServer) && line->contains("mountpoint=" + in_list(file_of(image)) + ",");
}

std::vector<pid_t> servers_of(const LocalImage& image) {
  std::vector<pid_t> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    if (serves(name, image)) found.push_back(pid);
  }
  return found;
}

bool ended(const os::FileDescriptor& process, Millis patience) {
  pollfd poll{process.get(), POLLIN, 0};
  return ::poll(&poll, 1, int(patience.count())) > 0;
}

// Nothing is lost by killing it: it keeps no data back (cache.direct).
Result<Unmapped> end_server(const Op& op, pid_t pid, const LocalImage& image) {
  const os::FileDescriptor process(int(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return Unmapped::lost;
  // The number may have got a new owner before it was pinned.
  if (!serves(std::to_string(pid), image)) return Unmapped::lost;
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0);
  if (ended(process, std::min(kEndPatience, op.remaining()))) return Unmapped::closed;
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  if (ended(process, kEndPatience)) return Unmapped::lost;
  return make_error(Code::busy, fmt::format("process {} ({}) does not end", pid, kServer), Effect::unknown);
}

}  // namespace

Result<std::unique_ptr<Attachment>> UserspaceMapper::find(const LocalImage& image) {
  auto device = TRY(os::find_loop_on(file_of(image)));
  if (!device) return std::unique_ptr<Attachment>();
  return to_attachment(std::move(*device));
}

Result<> UserspaceMapper::start_server(const Op& op, const LocalImage& image) {
  const CephSettings& settings = links_.settings_of(image.pool);
  std::string conf = TRY_CTX(os::read_file(settings.conf), "reading the Ceph configuration");
  if (!settings.keyring.empty())
    conf += fmt::format("\n[client.{}]\nkeyring = {}\n", settings.user, settings.keyring);
  TRY(os::write_file_atomically(conf_of(image), conf, kFileMode, os::Durability::none));
  TRY(os::open_file(file_of(image), O_CREAT | O_RDWR, kFileMode));
  const std::string disk =
      fmt::format("driver=rbd,node-name=image,pool={},image={},user={},conf={},cache.direct=on,discard=unmap",
                  in_list(image.pool), in_list(image.image), in_list(settings.user), in_list(conf_of(image)));
  const std::string file =
      fmt::format("type=fuse,id=file,node-name=image,mountpoint={},writable=on,growable=off,allow-other=off",
                  in_list(file_of(image)));
  const auto said = TRY(os::run(op, {.argv = {kServer, "--daemonize", "--blockdev", disk, "--export", file},
                                     .stdin_data = "",
                                     .package = kPackages}));
  if (!said.succeeded())
    return make_error(Code::unavailable,
                      fmt::format("{} for image '{}/{}': {} (it needs the packages {})", kServer, image.pool,
                                  image.image, said.describe(), kPackages),
                      Effect::unknown);
  return {};
}

Result<std::unique_ptr<Attachment>> UserspaceMapper::map(const Op& op, const LocalImage& image) {
  // What is mapped has its file; looking for all else takes a while.
  std::error_code failed;
  const bool fresh = !std::filesystem::exists(file_of(image), failed) && !failed;
  if (auto present = fresh ? nullptr : TRY(find(image))) {
    if (served(image)) return present;
    if (TRY(os::in_use(present->device())))
      return make_error(Code::unavailable,
                        fmt::format("the process behind '{}' ({}) has died: stop the containers that use it",
                                    present->device(), kServer));
  }
  if (fresh || !served(image)) {
    if (!fresh) TRY(unmap(op, image));  // what a server left that died
    TRY(start_server(op, image));
  }
  const auto file = TRY(os::open_file(file_of(image), O_RDWR));
  auto device = TRY(loops_.attach(
      op, {.backing_fd = file.get(), .backing_path = file_of(image), .sector_size = kSectorSize}));
  return to_attachment(std::move(device));
}

// The device vanishes with its last user.
Result<> UserspaceMapper::wait_for_loop(const Op& op, const LocalImage& image) {
  const SteadyTime until = op.clock().now() + kLoopPatience;
  for (;;) {
    std::string still;
    if (const auto device = TRY(os::find_loop_on(file_of(image)))) still = device->path();
    if (still.empty()) return {};
    if (op.clock().now() >= until)
      return make_error(Code::busy, fmt::format("'{}' is still open in some process", still));
    TRY(op.check("unmapping"));
    std::this_thread::sleep_for(kPause);
  }
}

Result<Unmapped> UserspaceMapper::unmap(const Op& op, const LocalImage& image) {
  TRY(wait_for_loop(op, image));
  const auto servers = servers_of(image);
  Unmapped how = servers.empty() ? Unmapped::lost : Unmapped::closed;
  for (const pid_t pid : servers)
    if (TRY(end_server(op, pid, image)) == Unmapped::lost) how = Unmapped::lost;
  // A server that was killed leaves its mount behind.
  while (TRY(os::find_mount(file_of(image)))) TRY(os::unmount(file_of(image)));
  return how;
}

Result<bool> UserspaceMapper::anything_left(const LocalImage& image) {
  // A server has its file there; looking through all processes is what costs.
  if (std::error_code failed; !std::filesystem::exists(image.directory, failed) && !failed) return false;
  if (TRY(os::find_mount(file_of(image)))) return true;
  return !servers_of(image).empty();
}

Result<std::optional<std::string>> UserspaceMapper::client_of(const LocalImage&) {
  return std::optional<std::string>();
}

}  // namespace volplugin::backend
