// SPDX-License-Identifier: Apache-2.0
// Many clients at once: each step of a volume's life by all of them, then the next step, in rounds. In each
// round the same clients put records into etcd themselves, through the same store and without the control
// plane.
#include "control_plane.h"
#include "control_plane_client.h"
#include "control_plane_server.h"
#include "etcd_process.h"
#include "fill_store.h"
#include "samples.h"
#include "take.h"

#include <barrier>
#include <functional>
#include <mutex>
#include <thread>

namespace volplugin::bench {
namespace {

constexpr int kHosts = 10;
constexpr Millis kSessionTtl{3'600'000};
constexpr Millis kPatience{60'000};

struct Crowd {
  int clients;
  int each;  // operations of a client in a round
  int rounds;
};
constexpr std::array kCrowds{Crowd{1, 60, 10}, Crowd{16, 15, 10}, Crowd{64, 8, 10}};

// What all clients do at once, in all rounds.
struct Step {
  const char* name;
  int commits;  // to etcd, by design
  std::function<void(int client, int number)> run;
  Samples latency{};
  MilliSeconds busy{};  // from the first beginning to the last end, added up

  double per_second() const { return double(latency.count()) / busy.count() * 1000; }
};

void run_round(Step& step, const Crowd& crowd, bool counts) {
  std::mutex mutex;  // of step.latency
  std::barrier start(crowd.clients + 1);
  std::vector<std::jthread> threads;
  threads.reserve(size_t(crowd.clients));
  for (int client = 0; client < crowd.clients; ++client)
    threads.emplace_back([&, client] {
      std::vector<MilliSeconds> took;
      took.reserve(size_t(crowd.each));
      start.arrive_and_wait();
      for (int number = 0; number < crowd.each; ++number)
        took.push_back(time_of([&] { step.run(client, number); }));
      const std::lock_guard lock(mutex);
      if (counts)
        for (const MilliSeconds one : took) step.latency.add(one);
    });
  const MilliSeconds busy = time_of([&] {
    start.arrive_and_wait();
    threads.clear();
  });
  if (counts) step.busy += busy;
}

std::string volume(int client, int number) {
  return fmt::format("c{}-n{}", client, number);
}

void put(kv::Store& store, const std::string& name, const std::string& record) {
  kv::Txn txn;
  txn.changes.push_back(kv::Put{name, record});
  take(store.commit(Op(system_clock(), kPatience, "put", "bench"), txn));
}

void print(const Crowd& crowd, const std::vector<Step>& steps) {
  const double bare = steps.front().per_second();
  for (const Step& step : steps) {
    const double ratio = bare / step.per_second();
    fmt::print("| {:>7} | {:<10} | {:>7} | {:>10.0f} | {:>10.2f} | {:>7.2f} | {:>5.2f} | {:>10} |\n",
               crowd.clients, step.name, step.commits, step.per_second(), step.latency.median(),
               step.latency.quantile(0.99), ratio,
               step.commits == 0 ? "-" : fmt::format("{:.2f}", ratio / step.commits));
  }
}

void measure(const Crowd& crowd, kv::Store& bare, const std::string& address) {
  std::vector<std::unique_ptr<ControlPlaneClient>> clients;
  for (int i = 0; i < crowd.clients; ++i) {
    clients.push_back(std::make_unique<ControlPlaneClient>(address));
    clients.back()->open_session(fmt::format("host{}", i % kHosts), kSessionTtl);
  }
  const std::string record = some_record();
  using Client = ControlPlaneClient;
  const auto of_volume = [&](void (Client::*call)(const std::string&)) {
    return [&clients, call](int client, int number) {
      (*clients[size_t(client)].*call)(volume(client, number));
    };
  };
  std::vector<Step> steps{
      {"bare put", 1, [&](int client, int number) { put(bare, volume(client, number), record); }},
      {"create", 2, of_volume(&Client::create)},
      {"get", 0, of_volume(&Client::look_at)},
      {"mount", 1, of_volume(&Client::mount)},
      {"unmount", 1, of_volume(&Client::unmount)},
      {"remove", 2, of_volume(&Client::remove)}};
  for (int round = -1; round < crowd.rounds; ++round)  // the first one warms up
    for (Step& step : steps) run_round(step, crowd, round >= 0);
  print(crowd, steps);
}

}  // namespace

void measure_operations(const std::string& directory) {
  const EtcdProcess etcd(directory);
  const ControlPlaneServer server(etcd.url(), directory + "/server.log");
  const auto bare = etcd.open_store("/bare");  // a prefix that the control plane does not see
  ControlPlaneClient(server.address()).put_tenant();
  fmt::print(
      "operations; interleaved with bare puts of a volume's record; ratio: bare puts per second to these;\n");
  fmt::print("no goal; {}\n\n", machine());
  fmt::print("| clients | operation  | commits | per second | median, ms | p99, ms | ratio | per commit |\n");
  fmt::print("|--------:|------------|--------:|-----------:|-----------:|--------:|------:|-----------:|\n");
  for (const Crowd& crowd : kCrowds) measure(crowd, *bare, server.address());
}

}  // namespace volplugin::bench
