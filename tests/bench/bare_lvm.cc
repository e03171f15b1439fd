// SPDX-License-Identifier: Apache-2.0
#include "bare_lvm.h"

#include "require.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

// Without a shell, input or output; errors stay visible.
void run(std::vector<std::string> argv) {
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  errno = ::posix_spawnp(&pid, words[0], &files, nullptr, words.data(), environ);
  require(errno == 0, "starting " + argv[0]);
  ::posix_spawn_file_actions_destroy(&files);
  int status = 0;
  require(::waitpid(pid, &status, 0) == pid, "waiting for " + argv[0]);
  if (status != 0) give_up(fmt::format("{} failed: wait status {}", argv[0], status));
}

}  // namespace

void BareLvm::create(const std::string& name) {
  run({"lvcreate", "-y", "-Wy", "-L", fmt::format("{}M", megabytes_), "-n", name, group_});
  run({"mkfs.ext4", "-q", fmt::format("/dev/{}/{}", group_, name)});
}

void BareLvm::mount(const std::string& name) {
  const std::string where = directory_ + "/" + name;
  require(::mkdir(where.c_str(), 0700) == 0, "making " + where);
  run({"mount", fmt::format("/dev/{}/{}", group_, name), where});
}

void BareLvm::unmount(const std::string& name) {
  const std::string where = directory_ + "/" + name;
  run({"umount", where});
  require(::rmdir(where.c_str()) == 0, "removing " + where);
}

void BareLvm::remove(const std::string& name) {
  run({"lvremove", "-y", fmt::format("{}/{}", group_, name)});
}

}  // namespace volplugin::bench
