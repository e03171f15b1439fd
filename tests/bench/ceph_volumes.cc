// SPDX-License-Identifier: Apache-2.0
#include "ceph_volumes.h"

#include "require.h"
#include "run_program.h"

#include <fstream>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

constexpr std::string_view kTenant = "bench";

std::string in_new_directory(const std::string& directory) {
  require(::mkdir(directory.c_str(), 0700) == 0, "making " + directory);
  return directory;
}

std::string mount_point_in(const std::string& directory) {
  return in_new_directory(directory + "/mount");
}

UnixHttp connected(const std::string& socket) {
  auto connection = UnixHttp::connect(socket);
  if (!connection) give_up("nobody listens on " + socket);
  return std::move(*connection);
}

// `percent`: as the place that the command goes to writes one.
std::string timed_mkfs(std::string_view percent, std::string_view device, const std::string& file) {
  return fmt::format("s=$(date +{0}s{0}N); mkfs.ext4 -q -m0 {1} && echo $(($(date +{0}s{0}N) - s)) >{2}",
                     percent, device, file);
}

}  // namespace

std::string TimedMkfs::policy_command() const {
  return timed_mkfs("%%", "%", file_);
}

void TimedMkfs::run(const std::string& device) const {
  run_program({"/bin/sh", "-c", timed_mkfs("%", device, file_)});
}

MilliSeconds TimedMkfs::last() const {
  std::int64_t nanoseconds = 0;
  std::ifstream(file_) >> nanoseconds;
  if (nanoseconds <= 0) give_up("mkfs left no time in " + file_);
  return std::chrono::nanoseconds(nanoseconds);
}

BareCephVolumes::BareCephVolumes(const CephPool& where, const std::string& directory)
    : library_(where),
      server_(where, in_new_directory(directory)),
      mkfs_(directory + "/mkfs"),
      mount_point_(mount_point_in(directory)) {}

void BareCephVolumes::create(const std::string& name) {
  LoopDevice device;
  parts_.image = time_of([&] {
    library_.create(name);
    library_.note_owner(name);
  });
  parts_.attach = time_of([&] {
    server_.start(name);
    device = attach_loop(server_.file());
  });
  require_blank(device.device);
  mkfs_.run(device.device);
  require(::fsync(device.fd) == 0, "syncing " + device.device);
  parts_.detach = time_of([&] { detach(device); });
}

void BareCephVolumes::detach(const LoopDevice& device) {
  ::close(device.fd);
  await_autoclear(device.device);
  server_.stop();
}

void BareCephVolumes::mount(const std::string& name) {
  server_.start(name);
  mounted_ = attach_loop(server_.file());
  require(::mount(mounted_.device.c_str(), mount_point_.c_str(), "ext4", 0, nullptr) == 0,
          "mounting " + mount_point_);
  require(::mkdir((mount_point_ + "/data").c_str(), 0755) == 0, "making the data directory");
}

void BareCephVolumes::unmount(const std::string&) {
  require(::umount2(mount_point_.c_str(), UMOUNT_NOFOLLOW) == 0, "unmounting " + mount_point_);
  detach(mounted_);
}

void BareCephVolumes::remove(const std::string& name) {
  library_.remove(name);
  library_.erase_note(name);
}

CommandCephVolumes::CommandCephVolumes(const CephPool& where, const std::string& directory)
    : where_(where),
      server_(where, in_new_directory(directory)),
      mkfs_(directory + "/mkfs"),
      mount_point_(mount_point_in(directory)) {}

void CommandCephVolumes::rbd(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"rbd", "-c", where_.conf, "--id", where_.user, "-p", where_.pool});
  run_program(std::move(arguments));
}

void CommandCephVolumes::create(const std::string& name) {
  rbd({"create", "--size", "10G", "--image-feature",
       "layering,exclusive-lock,object-map,fast-diff,deep-flatten", name});
  attach(name);
  mkfs_.run(device_);
  run_program({"losetup", "-d", device_});
  server_.stop();
}

void CommandCephVolumes::attach(const std::string& name) {
  server_.start(name);
  const std::string said = server_.file() + ".loop";
  run_program(
      {"/bin/sh", "-c",
       fmt::format("losetup --find --show --direct-io=on --sector-size=4096 {} >{}", server_.file(), said)});
  std::ifstream(said) >> device_;
}

void CommandCephVolumes::mount(const std::string& name) {
  attach(name);
  run_program({"mount", device_, mount_point_});
}

void CommandCephVolumes::unmount(const std::string&) {
  run_program({"umount", mount_point_});
  run_program({"losetup", "-d", device_});
  server_.stop();
}

void CommandCephVolumes::snapshot(const std::string& name) {
  rbd({"snap", "create", "--no-progress", name + "@s"});
}

void CommandCephVolumes::remove_snapshot(const std::string& name) {
  rbd({"snap", "rm", "--no-progress", name + "@s"});
}

void CommandCephVolumes::remove(const std::string& name) {
  rbd({"rm", "--no-progress", name});
}

VolpluginCephVolumes::VolpluginCephVolumes(const std::string& program, const CephPool& where,
                                           const std::string& directory)
    : daemon_(program, directory,
              {"--backend", "ceph", "--default-pool", "ceph=" + where.pool, "--ceph-conf", where.conf,
               "--ceph-id", where.user, "--backend-option", "ceph.attach=userspace"}),
      api_(connected(daemon_.api_socket())),
      plugin_(daemon_.plugin_socket()),
      mkfs_(directory + "/mkfs") {
  api_.put(fmt::format("/v1/tenants/{}", kTenant),
           fmt::format(R"({{"default-options":{{"size":"10GB"}},"filesystems":{{"ext4":"{}"}}}})",
                       mkfs_.policy_command()));
}

void VolpluginCephVolumes::create(const std::string& name) {
  api_.post("/v1/volumes", fmt::format(R"({{"tenant":"{}","name":"{}"}})", kTenant, name));
}

void VolpluginCephVolumes::mount(const std::string& name) {
  plugin_.mount(fmt::format("{}/{}", kTenant, name));
}

void VolpluginCephVolumes::unmount(const std::string& name) {
  plugin_.unmount(fmt::format("{}/{}", kTenant, name));
}

void VolpluginCephVolumes::snapshot(const std::string& name) {
  api_.post("/v1/snapshots", fmt::format(R"({{"tenant":"{}","volume":"{}","name":"s"}})", kTenant, name));
}

void VolpluginCephVolumes::remove_snapshot(const std::string& name) {
  api_.erase(fmt::format("/v1/snapshots/{}/{}/s", kTenant, name));
}

void VolpluginCephVolumes::remove(const std::string& name) {
  api_.erase(fmt::format("/v1/volumes/{}/{}", kTenant, name));
}

}  // namespace volplugin::bench
