// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include "require.h"
#include "unix_http.h"

#include <ctime>

#include <sys/stat.h>

namespace volplugin::bench {
namespace {

constexpr MilliSeconds kPatience{30'000};

UnixHttp connect_when_there(const std::string& socket, Child& daemon, const std::string& log) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    if (auto connection = UnixHttp::connect(socket)) return std::move(*connection);
    if (daemon.ended()) give_up("volplugin ended; see " + log);
    const timespec pause{0, 200'000};
    ::nanosleep(&pause, nullptr);
  }
  give_up("volplugin does not listen; see " + log);
}

}  // namespace

Daemon::Daemon(const std::string& program, const std::string& directory,
               const std::vector<std::string>& flags)
    : plugin_socket_(directory + "/plugin.sock"), api_socket_(directory + "/api.sock") {
  require(::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST, "making " + directory);
  const std::string log = directory + "/log";
  std::vector<std::string> argv{program,           "--standalone", "--data-dir",   directory + "/data",
                                "--plugin-socket", plugin_socket_, "--api-socket", api_socket_};
  argv.insert(argv.end(), flags.begin(), flags.end());
  start_up_ = time_of([&] {
    child_ = std::make_unique<Child>(std::move(argv), log);
    connect_when_there(plugin_socket_, *child_, log).post("/VolumeDriver.Capabilities", "{}\n");
    connect_when_there(api_socket_, *child_, log).get("/v1/health");
  });
}

}  // namespace volplugin::bench
