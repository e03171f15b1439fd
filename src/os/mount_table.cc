// SPDX-License-Identifier: Apache-2.0
#include "os/mount_table.h"

#include "os/block_device.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>

#include <dirent.h>
#include <libmount/libmount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace volplugin::os {
namespace {

std::string text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

MountEntry to_entry(libmnt_fs* fs) {
  MountEntry entry;
  entry.mount_id = mnt_fs_get_id(fs);
  entry.parent_id = mnt_fs_get_parent_id(fs);
  entry.device = device_number(mnt_fs_get_devno(fs));
  entry.root = text_or_empty(mnt_fs_get_root(fs));
  entry.mount_point = text_or_empty(mnt_fs_get_target(fs));
  entry.fstype = text_or_empty(mnt_fs_get_fstype(fs));
  entry.source = text_or_empty(mnt_fs_get_srcpath(fs));
  if (entry.source.empty()) entry.source = text_or_empty(mnt_fs_get_source(fs));
  char* options = mnt_fs_strdup_options(fs);
  entry.options = text_or_empty(options);
  std::free(options);
  return entry;
}

std::string table_of(const std::string& process) {
  return "/proc/" + process + "/mountinfo";
}

// The mount namespace's inode number; nullopt: the process is gone or none of our business.
std::optional<ino_t> mount_namespace_of(const std::string& process) {
  struct stat status{};
  if (::stat(("/proc/" + process + "/ns/mnt").c_str(), &status) != 0) return std::nullopt;
  return status.st_ino;
}

// One process of every mount namespace that can be seen.
std::vector<std::string> process_per_namespace(ino_t ours) {
  std::vector<std::string> processes;
  std::set<ino_t> seen{ours};
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"),
                                                 [](DIR* dir) { return ::closedir(dir); });
  if (!proc) return processes;
  while (const dirent* entry = ::readdir(proc.get())) {
    const std::string name = entry->d_name;
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto space = mount_namespace_of(name);
    if (space && seen.insert(*space).second) processes.push_back(name);
  }
  return processes;
}

}  // namespace

Result<std::vector<MountEntry>> read_mount_table(const std::string& path) {
  const std::unique_ptr<libmnt_table, decltype(&mnt_unref_table)> table(mnt_new_table(), &mnt_unref_table);
  const std::unique_ptr<libmnt_iter, decltype(&mnt_free_iter)> iter(mnt_new_iter(MNT_ITER_FORWARD),
                                                                    &mnt_free_iter);
  if (!table || !iter) return make_error(Code::resource_exhausted, "no memory for the mount table");
  if (const int rc = mnt_table_parse_file(table.get(), path.c_str()); rc != 0)
    return make_error(Code::unavailable,
                      fmt::format("the mount table '{}' cannot be read (error {})", path, rc));
  std::vector<MountEntry> entries;
  libmnt_fs* fs = nullptr;
  while (mnt_table_next_fs(table.get(), iter.get(), &fs) == 0) entries.push_back(to_entry(fs));
  return entries;
}

Result<std::optional<MountEntry>> find_mount(const std::string& mount_point) {
  const auto entries = TRY(read_mount_table());
  std::vector<const MountEntry*> stacked;
  for (const MountEntry& entry : entries)
    if (entry.mount_point == mount_point) stacked.push_back(&entry);
  // The order of the table does not tell which one lies on top; being nobody's parent does.
  for (const MountEntry* candidate : stacked)
    if (std::ranges::none_of(stacked, [&](const MountEntry* other) {
          return other != candidate && other->parent_id == candidate->mount_id;
        }))
      return std::optional(*candidate);
  return std::optional<MountEntry>();
}

Result<bool> used_in_other_namespaces(DeviceNumber device) {
  const auto ours = mount_namespace_of("self");
  if (!ours) return make_error(Code::unavailable, "/proc/self/ns/mnt cannot be read: is /proc mounted?");
  for (const std::string& process : process_per_namespace(*ours)) {
    const auto entries = read_mount_table(table_of(process));
    // The process ended; if its namespace lives on, another scan would have to find it by another
    // process. in_use() is the check that cannot miss; this one only explains.
    if (!entries) continue;
    if (std::ranges::any_of(*entries, [&](const MountEntry& entry) { return entry.device == device; }))
      return true;
  }
  return false;
}

Result<bool> visible_to(pid_t pid, const MountEntry& mount) {
  if (pid == 0)
    return make_error(Code::unsupported,
                      "the peer lives in a pid namespace volplugin cannot see; run volplugin with the host's "
                      "pid namespace (docker run --pid=host)");
  const std::string process = std::to_string(pid);
  const auto theirs = mount_namespace_of(process);
  if (!theirs) return make_error(Code::not_found, fmt::format("process {} is gone", pid));
  if (theirs == mount_namespace_of("self")) return true;
  const auto entries = TRY(read_mount_table(table_of(process)));
  return std::ranges::any_of(entries, [&](const MountEntry& entry) {
    return entry.mount_point == mount.mount_point && entry.device == mount.device;
  });
}

}  // namespace volplugin::os
