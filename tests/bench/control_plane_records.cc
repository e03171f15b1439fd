// SPDX-License-Identifier: Apache-2.0
// What many volume records cost: an etcd of its own for each number of them.
#include "control_plane.h"
#include "control_plane_client.h"
#include "control_plane_server.h"
#include "etcd_process.h"
#include "fill_store.h"
#include "list_pages.h"
#include "require.h"

#include <array>
#include <filesystem>
#include <optional>
#include <thread>

namespace volplugin::bench {
namespace {

constexpr int kFillers = 4;
constexpr int kPage = 10'000;
constexpr int kLists = 20;
constexpr int kLives = 100;
constexpr Millis kSessionTtl{3'600'000};
constexpr std::chrono::seconds kSettle{2};  // first recovery pass and the watch are over
constexpr std::chrono::seconds kRest{12};   // two recovery passes at least

struct Case {
  int records;
  int starts;
  double list_goal = 0;  // milliseconds; 0: no goal
};

void fill(const EtcdProcess& etcd, int records) {
  const auto store = etcd.open_store("/volplugin");
  std::vector<std::jthread> threads;
  for (int i = 0; i < kFillers; ++i) {
    const int first = int(std::int64_t(records) * i / kFillers);
    const int end = int(std::int64_t(records) * (i + 1) / kFillers);
    threads.emplace_back([&store, first, end] { fill_store(*store, {first, end}, model::Phase::ready); });
  }
}

// One row of the lists' table.
std::string list_row(const EtcdProcess& etcd, const Case& one, ControlPlaneClient& client) {
  Samples times;
  size_t bytes = 0;
  const double before = total(etcd.requests());
  for (int i = 0; i < kLists; ++i)
    times.add(time_of(
        [&] { bytes = list_pages([&](const std::string& target) { return client.get(target); }, kPage); }));
  return fmt::format("| {:>9} | {:>5} | {:>10.2f} | {:>15} | {:>8} | {:>10.2f} | {:>7.0f} | {:>5.1f} |\n",
                     one.records, (one.records + kPage - 1) / kPage, times.median(), times.quartiles(),
                     one.list_goal == 0 ? "" : fmt::format("{:.0f}", one.list_goal), double(bytes) / 1e6,
                     total(etcd.requests()) - before, load());
}

// One row of the operations' table: one client, one volume after the other.
std::string life_row(const Case& one, ControlPlaneClient& client) {
  using Client = ControlPlaneClient;
  constexpr std::array kSteps{&Client::create, &Client::look_at, &Client::mount, &Client::unmount,
                              &Client::remove};
  std::array<Samples, kSteps.size()> times;
  for (int i = -1; i < kLives; ++i)  // the first one says to etcd that this volmaster is at work
    for (size_t step = 0; step < kSteps.size(); ++step) {
      const MilliSeconds took = time_of([&] { (client.*kSteps[step])("life"); });
      if (i >= 0) times[step].add(took);
    }
  std::string row = fmt::format("| {:>9} |", one.records);
  for (const Samples& step : times)
    row += fmt::format(" {:>6.2f} | {:>11} |", step.median(), step.quartiles());
  return row + fmt::format(" {:>5.1f} |\n", load());
}

class Tables {
 public:
  explicit Tables(std::string directory) : directory_(std::move(directory)) {}
  void measure(const Case& one);
  void print_others() const;

 private:
  const std::string directory_;
  double empty_mib_ = 0;  // resident, without a record
  std::string lists_;
  std::string lives_;
};

void Tables::measure(const Case& one) {
  const std::string directory = fmt::format("{}/{}", directory_, one.records);
  {
    const EtcdProcess etcd(directory);
    const MilliSeconds filling = time_of([&] { fill(etcd, one.records); });
    const std::string log = directory + "/server.log";
    Samples starts;
    for (int i = 1; i < one.starts; ++i) starts.add(ControlPlaneServer(etcd.url(), log).start_up());
    const ControlPlaneServer server(etcd.url(), log);
    starts.add(server.start_up());
    std::this_thread::sleep_for(kSettle);
    const double resident = server.memory().resident_mib;
    if (one.records == 0) empty_mib_ = resident;
    const double each = one.records == 0 ? 0 : (resident - empty_mib_) * 1024 / one.records;
    const double used = server.processor_ms();
    std::this_thread::sleep_for(kRest);
    const double at_rest = (server.processor_ms() - used) / double(kRest.count());
    fmt::print(
        "| {:>9} | {:>7.1f} | {:>10.1f} | {:>12.0f} | {:>13.1f} | {:>16.2f} | {:>13.1f} | {:>5.1f} |\n",
        one.records, filling.count() / 1000, etcd.file_mib(), starts.median(), resident, each, at_rest,
        load());
    std::fflush(stdout);
    ControlPlaneClient client(server.address());
    if (one.records > 0) lists_ += list_row(etcd, one, client);
    client.put_tenant();
    client.open_session("host", kSessionTtl);
    lives_ += life_row(one, client);
  }
  std::filesystem::remove_all(directory);
}

void Tables::print_others() const {
  fmt::print("\none client, {} volumes one after the other, medians and quartiles in ms; {}\n\n", kLives,
             machine());
  fmt::print(
      "|   records | create |   quartiles |    get |   quartiles |  mount |   quartiles | unmount|   "
      "quartiles "
      "| remove |   quartiles |  load |\n");
  fmt::print(
      "|----------:|-------:|------------:|-------:|------------:|-------:|------------:|-------:|-----------"
      "-:"
      "|-------:|------------:|------:|\n{}",
      lives_);
  fmt::print("\nGET /v1/volumes, all records, pages of at most {}, {} times; {}\n\n", kPage, kLists,
             machine());
  fmt::print(
      "|   records | pages | median, ms |       quartiles | goal, ms | MB of JSON | to etcd |  load |\n");
  fmt::print(
      "|----------:|------:|-----------:|----------------:|---------:|-----------:|--------:|------:|\n{}",
      lists_);
}

}  // namespace

void measure_records(const std::string& directory, Largest largest) {
  std::vector<Case> cases{{0, 5}, {1'000, 5}, {2'000, 5, 3}, {10'000, 5}, {100'000, 3, 100}};
  if (largest == Largest::million) cases.push_back({1'000'000, 2});
  fmt::print("records in etcd, put there by {} writers, 100 in a transaction; {}\n\n", kFillers, machine());
  fmt::print(
      "|   records | fill, s | etcd's MiB | start-up, ms | resident, MiB | KiB for a volume | at rest, ms/s "
      "| "
      " load |\n");
  fmt::print(
      "|----------:|--------:|-----------:|-------------:|--------------:|-----------------:|--------------:|"
      "------:|\n");
  Tables tables(directory);
  for (const Case& one : cases) tables.measure(one);
  tables.print_others();
}

}  // namespace volplugin::bench
