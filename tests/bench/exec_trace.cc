// SPDX-License-Identifier: Apache-2.0
#include "exec_trace.h"

#include "require.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <sys/stat.h>
#include <unistd.h>

namespace volplugin::bench {
namespace {

// Two trace buffers of the kernel, with everybody's programs and with those of the process.
const std::string kAll = "/sys/kernel/tracing/instances/bench-all";
const std::string kOwn = "/sys/kernel/tracing/instances/bench-own";

void write_to(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  require(file.good(), "writing to " + path);
}

void open_buffer(const std::string& buffer) {
  require(::mkdir(buffer.c_str(), 0700) == 0 || errno == EEXIST, "making " + buffer);
  write_to(buffer + "/tracing_on", "0");
  write_to(buffer + "/events/sched/sched_process_exec/enable", "1");
}

struct Started {
  Programs programs;
  std::set<pid_t> processes;
};

// A line is "... sched_process_exec: filename=/usr/sbin/lvcreate pid=123 old_pid=123".
Started read_buffer(const std::string& buffer) {
  constexpr std::string_view kFile = "sched_process_exec: filename=";
  constexpr std::string_view kPid = " pid=";
  Started started;
  std::ifstream trace(buffer + "/trace");
  for (std::string line; std::getline(trace, line);) {
    const size_t file = line.find(kFile);
    const size_t pid = line.find(kPid, file);
    if (file == line.npos || pid == line.npos) continue;
    const size_t start = file + kFile.size();
    ++started.programs[line.substr(start, pid - start)];
    started.processes.insert(std::atoi(line.c_str() + pid + kPid.size()));
  }
  return started;
}

}  // namespace

ExecTrace::ExecTrace(pid_t process) {
  open_buffer(kAll);
  open_buffer(kOwn);
  std::string threads;
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process)))
    threads += thread.path().filename().string() + " ";
  write_to(kOwn + "/options/event-fork", "1");  // their children, too
  write_to(kOwn + "/set_event_pid", threads);
}

ExecTrace::~ExecTrace() {
  ::rmdir(kOwn.c_str());
  ::rmdir(kAll.c_str());
}

ExecTrace::Seen ExecTrace::during(const std::function<void()>& work) {
  for (const std::string& buffer : {kAll, kOwn}) {
    write_to(buffer + "/trace", "\n");
    write_to(buffer + "/tracing_on", "1");
  }
  work();
  for (const std::string& buffer : {kAll, kOwn}) write_to(buffer + "/tracing_on", "0");
  const Started own = read_buffer(kOwn);
  Seen seen{own.programs, int(own.processes.size()), read_buffer(kAll).programs};
  for (const auto& [program, times] : seen.own)
    if ((seen.others[program] -= times) == 0) seen.others.erase(program);
  return seen;
}

}  // namespace volplugin::bench
