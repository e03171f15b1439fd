// SPDX-License-Identifier: Apache-2.0
// Sessions: which hosts are there. A session is a record that hangs on a lease of the store, so it ends by
// itself when its host is not heard of; whoever acts on its being there or gone names it in a guard.
#include "control/control_plane.h"

#include <charconv>

namespace volplugin::control {
namespace {

constexpr int kMaxTries = 4;
constexpr Millis kRevokeTimeout{2'000};

std::string id_of(kv::LeaseId lease) {
  return std::to_string(lease.value);
}

std::optional<kv::LeaseId> lease_of(const std::string& session) {
  kv::LeaseId lease;
  const char* end = session.data() + session.size();
  const auto [stopped, failed] = std::from_chars(session.data(), end, lease.value);
  if (failed != std::errc() || stopped != end || lease.value == 0) return std::nullopt;
  return lease;
}

Error name_taken(const model::Session& session) {
  return make_error(
      Code::conflict,
      fmt::format(
          "node name '{}' belongs to another host, which was started {} and is alive (host id {}): give "
          "each host its own name with --host-label",
          session.node.str(), format_rfc3339(session.since), session.host));
}

bool same_node(const model::Node& known, const model::Node& told) {
  return known.version == told.version && known.backends == told.backends && known.boot_id == told.boot_id &&
         known.started_at == told.started_at && known.fenced == told.fenced;
}

}  // namespace

Result<model::Record<model::Session>> ControlPlane::open_session(const Op& op,
                                                                 const service::OpenSession& request) {
  using service::OpenSession;
  if (request.ttl < OpenSession::kMinTtl || request.ttl > OpenSession::kMaxTtl)
    return make_error(Code::invalid_argument,
                      fmt::format("ttl-ms: {} is not from {} to {}", request.ttl.count(),
                                  OpenSession::kMinTtl.count(), OpenSession::kMaxTtl.count()));
  const std::string name = request.node.name.str();
  for (int tries = 1;; ++tries) {
    TRY(parts_.catalog.refresh(op, parts_.catalog.sessions, name));
    const auto held = parts_.catalog.sessions.find(name);
    if (held && held->value.host != request.host) return name_taken(held->value);
    if (const auto going_on = TRY(continue_session(op, held, request))) return going_on;
    auto opened = begin_session(op, held, request);
    if (opened || opened.error().code != Code::conflict || tries == kMaxTries) return opened;
  }
}

// The session that the host has, if it can go on; null if it needs a new one.
Result<model::Record<model::Session>> ControlPlane::continue_session(
    const Op& op, const model::Record<model::Session>& held, const service::OpenSession& request) {
  if (!held || held->value.boot_id != request.node.boot_id || held->value.ttl != request.ttl)
    return model::Record<model::Session>();
  if (const auto kept = renew_session(op, request.node.name, held->value.id); !kept) {
    if (kept.error().code == Code::not_found) return model::Record<model::Session>();
    return kept.error();
  }
  auto& nodes = parts_.catalog.nodes;
  const auto known = nodes.find(request.node.name.str());
  if (!known || !same_node(known->value, request.node)) {
    catalog::Edit edit;
    edit.put(nodes, request.node);
    TRY(parts_.catalog.commit(op, std::move(edit)));
  }
  return held;
}

Result<model::Record<model::Session>> ControlPlane::begin_session(const Op& op,
                                                                  const model::Record<model::Session>& held,
                                                                  const service::OpenSession& request) {
  const std::string name = request.node.name.str();
  const kv::LeaseId lease = TRY(parts_.catalog.grant(op, request.ttl));
  model::Session session{request.node.name,    id_of(lease), request.host,
                         request.node.boot_id, request.ttl,  parts_.clock.wall()};
  catalog::Edit edit;
  if (held)
    edit.require(held);
  else
    edit.require_absent<model::Session>(name);
  edit.put(parts_.catalog.sessions, std::move(session), lease).put(parts_.catalog.nodes, request.node);
  const auto begun = parts_.catalog.commit(op, std::move(edit));
  // Nothing hangs on the one that is left over, and renew_session() refuses it.
  const auto useless = begun ? (held ? lease_of(held->value.id) : std::nullopt) : std::optional(lease);
  const bool decided = begun || begun.error().effect == Effect::none;
  if (useless && decided) (void)parts_.catalog.revoke(op.for_cleanup(kRevokeTimeout), *useless);
  TRY(begun);
  if (auto stored = parts_.catalog.sessions.find(name); stored && stored->value.id == id_of(lease))
    return stored;
  return make_error(Code::conflict, fmt::format("the new session of node '{}' was replaced at once", name));
}

Result<> ControlPlane::renew_session(const Op& op, const model::NodeName& node, const std::string& session) {
  const auto ended = [&] {
    return make_error(Code::not_found, fmt::format("session '{}' of node '{}' has ended",
                                                   model::printable(session), node.str()));
  };
  const auto lease = lease_of(session);
  if (!lease) return ended();
  const auto kept = parts_.catalog.keep_alive(op, *lease);
  if (!kept && kept.error().code == Code::not_found) return ended();
  TRY(kept);
  // A lease may outlive its session, when another one took its place and it could not be revoked.
  if (live_session(node, session)) return {};
  TRY(parts_.catalog.refresh(op, parts_.catalog.sessions, node.str()));
  if (!live_session(node, session)) return ended();
  return {};
}

Result<model::Record<model::Session>> ControlPlane::live_session(const model::NodeName& node,
                                                                 const std::string& session) const {
  auto known = parts_.catalog.sessions.find(node.str());
  if (known && known->value.id == session) return known;
  return make_error(Code::conflict,
                    fmt::format("session '{}' of node '{}' has ended: volplugin there has to open a new one",
                                model::printable(session), node.str()));
}

bool ControlPlane::is_stale(const model::Mount& mount) const {
  const auto session = parts_.catalog.sessions.find(mount.node.str());
  return !session || session->value.id != mount.session;
}

}  // namespace volplugin::control
