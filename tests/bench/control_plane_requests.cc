// SPDX-License-Identifier: Apache-2.0
// Requests to etcd per operation, as etcd counts them, one operation after the other: without a pause, and
// with one that is longer than the control plane takes a silent etcd for alive.
#include "control_plane.h"
#include "control_plane_client.h"
#include "control_plane_server.h"
#include "etcd_process.h"
#include "kv/etcd/client.h"
#include "samples.h"

#include <functional>
#include <thread>

namespace volplugin::bench {
namespace {

constexpr int kMany = 200;
constexpr int kFew = 5;
constexpr Millis kRest = kv::Client::kFresh + Millis(200);
constexpr Millis kCounted{100};  // etcd counts a request a moment after its answer
constexpr int kHosts = 10;
constexpr Millis kTtl{30'000};  // the default of --session-ttl
constexpr std::chrono::seconds kIdle{30};
constexpr std::chrono::seconds kAfterWork{20};

void print_row(const std::string& what, const std::string& goal, double count, const Requests& requests) {
  std::string methods;
  for (const auto& [method, number] : requests)
    methods += fmt::format("{}{:.2f} {}", methods.empty() ? "" : ", ", number / count, method);
  fmt::print("| {:<40} | {:>4} | {:>8.2f} | {:<46} |\n", what, goal, total(requests) / count, methods);
  std::fflush(stdout);
}

Requests requests_of(const EtcdProcess& etcd, const std::function<void()>& work) {
  std::this_thread::sleep_for(kCounted);
  const Requests before = etcd.requests();
  work();
  std::this_thread::sleep_for(kCounted);
  return difference(before, etcd.requests());
}

struct Step {
  const char* name;
  const char* goal;
  std::function<void(const std::string&)> run;
};

std::vector<Step> steps_of(ControlPlaneClient& client) {
  return {{"create", "2", [&](const std::string& name) { client.create(name); }},
          {"mount", "1", [&](const std::string& name) { client.mount(name); }},
          {"unmount", "1", [&](const std::string& name) { client.unmount(name); }},
          {"remove", "", [&](const std::string& name) { client.remove(name); }},
          {"heartbeat", "1", [&](const std::string&) { client.renew_session(); }}};
}

void count_operations(const EtcdProcess& etcd, ControlPlaneClient& client) {
  for (const Step& step : steps_of(client))
    print_row(step.name, step.goal, kMany, requests_of(etcd, [&] {
                for (int i = 0; i < kMany; ++i) step.run(fmt::format("busy{}", i));
              }));
}

// The rest itself costs requests, too: those of a volmaster that is at work. They are not the operation's.
void count_after_rest(const EtcdProcess& etcd, ControlPlaneClient& client) {
  for (const Step& step : steps_of(client)) {
    Requests all;
    for (int i = 0; i < kFew; ++i) {
      std::this_thread::sleep_for(kRest);
      for (const auto& [method, count] : requests_of(etcd, [&] { step.run(fmt::format("calm{}", i)); }))
        all[method] += count;
    }
    print_row(fmt::format("{}, etcd unheard of for {} ms", step.name, (kRest + kCounted).count()), step.goal,
              kFew, all);
  }
}

// Hosts that only renew their sessions.
void count_at_rest(const EtcdProcess& etcd, const std::string& log) {
  const ControlPlaneServer server(etcd.url(), log);  // another one: it has not worked yet
  std::vector<std::unique_ptr<ControlPlaneClient>> hosts;
  for (int i = 0; i < kHosts; ++i) {
    hosts.push_back(std::make_unique<ControlPlaneClient>(server.address()));
    hosts.back()->open_session(fmt::format("idle{}", i), kTtl);
  }
  const double messages = etcd.watch_messages();
  Requests requests = requests_of(etcd, [&] {
    const auto end = std::chrono::steady_clock::now() + kIdle;
    while (std::chrono::steady_clock::now() < end) {
      for (const auto& host : hosts) host->renew_session();
      std::this_thread::sleep_until(std::min(end, std::chrono::steady_clock::now() + kTtl / 3));
    }
  });
  const double renewals = kHosts * std::chrono::ceil<std::chrono::seconds>(kIdle).count() /
                          std::chrono::duration<double>(kTtl / 3).count();
  print_row(fmt::format("a heartbeat of {} hosts in {} s", kHosts, kIdle.count()), "1", renewals, requests);
  requests["LeaseKeepAlive"] -= renewals;
  std::erase_if(requests, [](const auto& one) { return one.second == 0; });
  print_row("besides, in that time, all together", "0", 1, requests);
  fmt::print("\nmessages on the stream of the watch in these {} s, signs of life: {:.0f}\n", kIdle.count(),
             etcd.watch_messages() - messages);
}

}  // namespace

void measure_requests(const std::string& directory) {
  const EtcdProcess etcd(directory);
  fmt::print("requests to etcd, counted by it; {} of each without a pause; {}\n\n", kMany, machine());
  fmt::print(
      "| what                                     | goal | measured | of which                               "
      "        |\n");
  fmt::print(
      "|------------------------------------------|-----:|---------:|----------------------------------------"
      "--------|\n");
  {
    const ControlPlaneServer server(etcd.url(), directory + "/server.log");
    ControlPlaneClient client(server.address());
    client.put_tenant();
    client.open_session("host", Millis(3'600'000));
    count_operations(etcd, client);
    count_after_rest(etcd, client);
    print_row(fmt::format("{} s right after work, all together", kAfterWork.count()), "", 1,
              requests_of(etcd, [] { std::this_thread::sleep_for(kAfterWork); }));
  }
  count_at_rest(etcd, directory + "/idle.log");
}

}  // namespace volplugin::bench
