// SPDX-License-Identifier: Apache-2.0
// What a route's handler gets, and how it answers.
#pragma once

#include "base/op.h"
#include "base/result.h"
#include "http/router.h"
#include "http/server.h"
#include "model/names.h"
#include "service/volmaster.h"

#include <string>

namespace volplugin::rest {

class EventStreams;

// One request. Valid until the handler returns; what answers later copies what it needs.
struct Call {
  service::Volmaster& master;
  EventStreams& events;
  const std::string& version;
  const http::Request& request;
  const http::Params& params;  // of the path, decoded
  const http::Query& query;    // only keys that the route knows
  const Op& op;
};

// Answers one request, from any thread. Copyable; only the first answer counts.
class Respond {
 public:
  Respond(http::Reply reply, std::string request_id)
      : reply_(std::move(reply)), request_id_(std::move(request_id)) {}
  // Every answer carries X-Request-Id; an Error becomes its problem document.
  void operator()(Result<http::Response> answer) const;
  // Begins an answer that goes on; see http::Reply::stream().
  http::Stream stream(http::Response head, size_t max_waiting) const;
  const std::string& request_id() const { return request_id_; }

 private:
  http::Reply reply_;
  std::string request_id_;
};

using Handler = void (*)(const Call&, const Respond&);

// A handler that has its answer when it returns, as most have.
template <Result<http::Response> (*handler)(const Call&)>
void answered_by(const Call& call, const Respond& respond) {
  respond(handler(call));
}

// Names in the path. Errors: invalid_argument naming the rule.
inline Result<model::TenantName> tenant_in_path(const Call& call) {
  return model::TenantTag::parse(call.params["tenant"]);
}
inline Result<model::VolumeId> volume_in_path(const Call& call) {
  return model::parse_volume_id(call.params["tenant"], call.params["volume"]);
}
inline Result<model::SnapshotId> snapshot_in_path(const Call& call) {
  auto volume = TRY(volume_in_path(call));
  return model::SnapshotId{std::move(volume), TRY(model::SnapshotTag::parse(call.params["snapshot"]))};
}
inline Result<model::NodeName> node_in_path(const Call& call) {
  return model::NodeTag::parse(call.params["node"]);
}

}  // namespace volplugin::rest
