// SPDX-License-Identifier: Apache-2.0
#include "node/session.h"

namespace volplugin::node {

SessionKeeper::SessionKeeper(service::VolumeRecords& records, const Clock& clock, HostIdentity identity)
    : records_(records), clock_(clock), identity_(std::move(identity)) {}

std::optional<std::string> SessionKeeper::valid() const {
  const std::lock_guard lock(mutex_);
  if (id_.empty() || clock_.now() >= valid_until_) return std::nullopt;
  return id_;
}

Result<std::string> SessionKeeper::ensure(const Op& op, const model::Node& node) {
  if (auto id = valid()) return *id;
  const std::lock_guard one(calls_);
  if (auto id = valid()) return *id;  // opened by another thread meanwhile
  TRY(open(op, node));
  if (auto id = valid()) return *id;
  return make_error(Code::unavailable, "the new session ended before it could be used");
}

Result<> SessionKeeper::renew(const Op& op, const model::Node& node) {
  const std::lock_guard one(calls_);
  const auto id = valid();
  if (!id) return open(op, node);
  const SteadyTime asked = clock_.now();
  const auto renewed = records_.renew_session(op, node.name, *id);
  if (renewed) {
    prolong(asked);
    return {};
  }
  if (renewed.error().code != Code::not_found) return renewed;  // valid until its time is over
  {
    const std::lock_guard lock(mutex_);
    id_.clear();
  }
  return open(op, node);
}

Result<> SessionKeeper::tell(const Op& op, const model::Node& node) {
  const std::lock_guard one(calls_);
  return open(op, node);
}

Result<> SessionKeeper::open(const Op& op, const model::Node& node) {
  const SteadyTime asked = clock_.now();
  const auto session = TRY(records_.open_session(op, {node, identity_.host, identity_.ttl}));
  {
    const std::lock_guard lock(mutex_);
    id_ = session->value.id;
  }
  prolong(asked);
  return {};
}

void SessionKeeper::prolong(SteadyTime asked) {
  const std::lock_guard lock(mutex_);
  valid_until_ = asked + identity_.ttl;
}

}  // namespace volplugin::node
