// SPDX-License-Identifier: Apache-2.0
#include "run_program.h"

#include "require.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace volplugin::bench {

void run_program(std::vector<std::string> argv) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
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

}  // namespace volplugin::bench
