// SPDX-License-Identifier: Apache-2.0
#include "control_plane_server.h"

#include "backend/sim/sim_backend.h"
#include "base/periodic.h"
#include "control/control_plane.h"
#include "control/event_feed.h"
#include "control_plane_client.h"
#include "http/server.h"
#include "kv/etcd/etcd_store.h"
#include "rest/api.h"
#include "take.h"

#include <ctime>

#include <signal.h>

namespace volplugin::bench {
namespace {

constexpr Millis kStartTimeout{300'000};  // long: a million records are to be measured, too
constexpr std::chrono::seconds kStartPatience{300};
constexpr Millis kRecoveryInterval{5'000};  // these as in daemon/volmaster_role.cc
constexpr Millis kRecoveryTimeout{120'000};
constexpr Millis kSecond{1'000};
constexpr Bytes kEndless{1ULL << 60};

// Every device is blank, and formatting it is done at once. The control plane mounts nothing.
class FreeFilesystems final : public executor::Filesystems {
 public:
  Result<bool> is_blank(const Op&, const std::string&) override { return true; }
  Result<std::string> make(const Op&, const std::string&, const std::string&) override {
    return std::string("ext4");
  }
  Result<> mount(const Op&, const std::string&, const std::string&, const std::string&) override {
    return {};
  }
  Result<> unmount(const Op&, const std::string&) override { return {}; }
  Result<std::optional<executor::MountedAt>> mounted(const Op&, const std::string&) override {
    return std::optional<executor::MountedAt>();
  }
  bool same_device(const std::string& first, const std::string& second) override { return first == second; }
  Result<> ensure_directory(const Op&, const std::string&) override { return {}; }
  Result<bool> visible_to(pid_t, const std::string&) override { return true; }
  Result<bool> used_elsewhere(const std::string&) override { return false; }
  Result<bool> expire(const Op&, const std::string&) override { return true; }
};

control::Settings settings() {
  control::Settings settings;
  settings.defaults.backend = "sim";
  settings.defaults.pools["sim"] = "default";
  settings.version = "bench";
  settings.store = "etcd";
  settings.alone = false;
  return settings;
}

Op work(Millis timeout, const char* who, const std::stop_token& stop = {}) {
  return Op(system_clock(), timeout, make_request_id(), who, stop);
}

}  // namespace

int serve_control_plane(const std::string& etcd_url, const std::string& address) {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // before there are threads
  const Clock& clock = system_clock();
  const auto store = take(kv::EtcdStore::open({.endpoints = {etcd_url}}, clock));
  executor::Backends backends;
  backends.emplace("sim", std::make_unique<backend::SimBackend>(
                              std::make_shared<backend::SimCluster>(backend::Scope::cluster, kEndless), "m"));
  const auto catalog = take(catalog::Catalog::open(work(kStartTimeout, "start"), *store));
  FreeFilesystems filesystems;
  executor::Executor executor(backends, filesystems, "/nowhere");
  control::TaskQueue tasks(clock);
  control::ControlPlane control({*catalog, backends, executor, tasks, clock}, settings());
  control::EventFeed events(*catalog, [&](const model::NodeName& node) { return control.connected(node); });
  rest::Api api(control, events, clock, "bench");
  http::Server server({}, [&](http::Request request, http::Reply reply) {
    api.handle(std::move(request), std::move(reply));
  });
  take(server.listen(address));
  take(server.start());
  {
    const Periodic recovery("recovery", kRecoveryInterval, [&](const std::stop_token& stop) {
      control.recover_step(work(kRecoveryTimeout, "recovery", stop));
    });
    const Periodic each_second("each-second", kSecond, [&](const std::stop_token& stop) {
      tasks.expire();
      api.tick();
      control.prolong_presence(work(2 * kSecond, "presence", stop));
    });
    int signal = 0;
    ::sigwait(&ending, &signal);
  }
  tasks.close();
  server.stop();
  return 0;
}

ControlPlaneServer::ControlPlaneServer(const std::string& etcd_url, const std::string& log)
    : address_(fmt::format("127.0.0.1:{}", free_port())) {
  start_up_ = time_of([&] {
    child_ = std::make_unique<Child>(
        std::vector<std::string>{"/proc/self/exe", "--serve", etcd_url, address_}, log);
    ControlPlaneClient client(address_);
    const auto until = std::chrono::steady_clock::now() + kStartPatience;
    while (!client.answers("/v1/version")) {
      if (child_->ended() || std::chrono::steady_clock::now() > until)
        give_up("the control plane does not start; see " + log);
      const timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
    }
  });
}

}  // namespace volplugin::bench
