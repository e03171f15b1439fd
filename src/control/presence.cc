// SPDX-License-Identifier: Apache-2.0
#include "control/presence.h"

#include "os/uuid.h"

namespace volplugin::control {
namespace {

constexpr Millis kProlongBefore{6'000};  // its end
constexpr Millis kWorkLasts{130'000};    // the longest call the API allows, and its settling

}  // namespace

Presence::Presence(catalog::Catalog& catalog, const Clock& clock, bool alone)
    : catalog_(catalog), clock_(clock), alone_(alone), name_(os::new_uuid()) {}

Result<> Presence::announce(const Op& op) {
  if (alone_) return {};
  const auto fresh = [this] {
    const std::lock_guard lock(mutex_);
    last_work_ = clock_.now();
    return lease_.value != 0 && valid_until_ - clock_.now() > kProlongBefore / 2;
  };
  if (fresh()) return {};
  const std::lock_guard one(calls_);
  if (fresh()) return {};
  return begin(op);
}

Result<> Presence::begin(const Op& op) {
  const SteadyTime asked = clock_.now();
  const auto lease = TRY_CTX(catalog_.grant(op, kTtl), "announcing this volmaster");
  catalog::Edit edit;
  edit.put(catalog_.workers, model::Worker{name_, clock_.wall()}, lease);
  TRY_CTX(catalog_.commit(op, std::move(edit)), "announcing this volmaster");
  const std::lock_guard lock(mutex_);
  lease_ = lease;
  valid_until_ = asked + kTtl;
  return {};
}

Result<bool> Presence::other_is_there(const Op& op, const std::string& name) {
  if (alone_ || name.empty() || name == name_) return false;
  if (!catalog_.workers.find(name)) TRY(catalog_.refresh(op, catalog_.workers, name));
  return catalog_.workers.find(name) != nullptr;
}

void Presence::prolong(const Op& op) {
  const std::lock_guard one(calls_);
  kv::LeaseId lease;
  const SteadyTime asked = clock_.now();
  {
    const std::lock_guard lock(mutex_);
    const bool at_work = last_work_ != SteadyTime{} && asked - last_work_ < kWorkLasts;
    if (lease_.value == 0 || !at_work || valid_until_ - asked > kProlongBefore) return;
    lease = lease_;
  }
  const auto kept = catalog_.keep_alive(op, lease);
  const std::lock_guard lock(mutex_);
  if (kept)
    valid_until_ = asked + kTtl;
  else if (kept.error().code == Code::not_found)
    lease_ = {};  // the next work announces it anew
}

}  // namespace volplugin::control
