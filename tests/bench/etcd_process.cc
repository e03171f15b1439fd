// SPDX-License-Identifier: Apache-2.0
#include "etcd_process.h"

#include "control_plane_client.h"
#include "take.h"

#include <filesystem>
#include <functional>
#include <sstream>

namespace volplugin::bench {
namespace {

constexpr Millis kPatience{30'000};

std::string label(std::string_view line, std::string_view name) {
  const std::string key = fmt::format("{}=\"", name);
  const size_t start = line.find(key) + key.size();
  return std::string(line.substr(start, line.find('"', start) - start));
}

// Calls back for each line of that metric, with its value.
void each_line(const std::string& address, const std::string& metric,
               const std::function<void(const std::string&, double)>& look) {
  std::istringstream text(ControlPlaneClient(address).get("/metrics"));
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with(metric) || line.find_first_of("{ ") != metric.size()) continue;
    look(line, std::strtod(line.substr(line.rfind(' ')).c_str(), nullptr));
  }
}

}  // namespace

EtcdProcess::EtcdProcess(const std::string& directory) : address_(fmt::format("127.0.0.1:{}", free_port())) {
  std::filesystem::create_directories(directory);
  const std::string peer = fmt::format("http://127.0.0.1:{}", free_port());
  child_ = std::make_unique<Child>(
      std::vector<std::string>{"etcd", "--name", "bench", "--data-dir", directory + "/etcd", "--log-level",
                               "error", "--listen-client-urls", url(), "--advertise-client-urls", url(),
                               "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                               "--initial-cluster", "bench=" + peer},
      directory + "/log");
  const auto store = open_store("/start");
  const Op op(system_clock(), kPatience, "start", "bench");
  for (;;) {
    const auto answer = store->revision(op);
    if (answer) return;
    if (child_->ended() || op.remaining() == Millis(0))
      give_up(fmt::format("etcd does not start (package etcd-server; {}/log): {}", directory,
                          answer.error().message));
  }
}

std::unique_ptr<kv::EtcdStore> EtcdProcess::open_store(const std::string& prefix) const {
  return take(kv::EtcdStore::open({.endpoints = {url()}, .prefix = prefix}, system_clock()));
}

Requests EtcdProcess::requests() const {
  Requests requests;
  each_line(address_, "grpc_server_handled_total",
            [&](const std::string& line, double value) { requests[label(line, "grpc_method")] += value; });
  return requests;
}

double EtcdProcess::watch_messages() const {
  double messages = 0;
  each_line(address_, "grpc_server_msg_received_total", [&](const std::string& line, double value) {
    if (label(line, "grpc_method") == "Watch") messages += value;
  });
  return messages;
}

double EtcdProcess::file_mib() const {
  double bytes = 0;
  each_line(address_, "etcd_mvcc_db_total_size_in_bytes",
            [&](const std::string&, double value) { bytes = value; });
  return bytes / (1 << 20);
}

std::string EtcdProcess::version() {
  std::string first = "etcd Version: unknown\n";
  if (FILE* output = ::popen("etcd --version", "r")) {
    std::array<char, 128> line{};
    if (::fgets(line.data(), line.size(), output) != nullptr) first = line.data();
    ::pclose(output);
  }
  return "etcd " + first.substr(first.rfind(' ') + 1, first.size() - first.rfind(' ') - 2);
}

Requests difference(const Requests& before, const Requests& after) {
  Requests result;
  for (const auto& [method, value] : after) {
    const auto known = before.find(method);
    const double more = value - (known == before.end() ? 0 : known->second);
    if (more > 0) result[method] = more;
  }
  return result;
}

double total(const Requests& requests) {
  double sum = 0;
  for (const auto& [method, value] : requests) sum += value;
  return sum;
}

}  // namespace volplugin::bench
