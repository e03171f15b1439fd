// SPDX-License-Identifier: Apache-2.0
#include "control_plane_client.h"

#include "base/op.h"
#include "list_pages.h"
#include "take.h"

namespace volplugin::bench {
namespace {

constexpr Millis kPatience{120'000};
constexpr std::string_view kPolicy =
    R"({"default-options":{"size":"1GB","filesystem":"ext4"},"filesystems":{"ext4":"mkfs.ext4 -m0 %"}})";
constexpr std::string_view kClaim = "claim-of-the-benchmark";
constexpr std::string_view kMountId = "8d0a2c6e4f1b3d5978a0c2e4f60718293a4b5c6d7e8f90a1b2c3d4e5f6071829";

Op patient() {
  return Op(system_clock(), kPatience, "bench", "bench");
}

}  // namespace

ControlPlaneClient::ControlPlaneClient(const std::string& address)
    : client_(take(http::Client::open(address))), now_(format_rfc3339(system_clock().wall())) {}

std::string ControlPlaneClient::call(const std::string& method, const std::string& target,
                                     const std::string& body) {
  http::ClientRequest request{method, target, {}, body};
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  auto response = take(client_->send(patient(), request));
  if (response.status / 100 != 2)
    give_up(fmt::format("{} {}: {} {}", method, target, response.status, response.body));
  return std::move(response.body);
}

bool ControlPlaneClient::answers(const std::string& target) {
  const auto response = client_->send(patient(), {.target = target});
  return response && response->status == 200;
}

void ControlPlaneClient::put_tenant() {
  call("PUT", "/v1/tenants/bench", std::string(kPolicy));
}

void ControlPlaneClient::open_session(const std::string& node, Millis ttl) {
  node_ = node;
  const std::string answer =
      call("PUT", fmt::format("/v1/nodes/{}/session", node),
           fmt::format(R"({{"node":{{"name":"{0}","version":"0","backends":["sim"],"boot-id":"b",)"
                       R"("started-at":"{1}"}},"host":"host-id-of-{0}","ttl-ms":{2}}})",
                       node, now_, ttl.count()));
  session_ = text_field(answer, "id");
  if (session_.empty()) give_up("a session without an id: " + answer);
}

void ControlPlaneClient::renew_session() {
  call("POST", fmt::format("/v1/nodes/{}/session/{}/renewal", node_, session_), "");
}

void ControlPlaneClient::create(const std::string& name) {
  call("POST", "/v1/volumes", fmt::format(R"({{"tenant":"bench","name":"{}"}})", name));
}

void ControlPlaneClient::look_at(const std::string& name) {
  call("GET", "/v1/volumes/bench/" + name, "");
}

void ControlPlaneClient::mount(const std::string& name) {
  call("PUT", "/v1/mounts/bench/" + name,
       fmt::format(R"({{"node":"{}","session":"{}","claim":"{}","mount-point":"/var/lib/volplugin/mounts/)"
                   R"(bench.{}","use":{{"id":"{}","since":"{}"}}}})",
                   node_, session_, kClaim, name, kMountId, now_));
}

void ControlPlaneClient::unmount(const std::string& name) {
  call("DELETE", fmt::format("/v1/mounts/bench/{}?node={}&claim={}", name, node_, kClaim), "");
}

void ControlPlaneClient::remove(const std::string& name) {
  call("DELETE", "/v1/volumes/bench/" + name, "");
}

}  // namespace volplugin::bench
