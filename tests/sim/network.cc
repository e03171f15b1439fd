// SPDX-License-Identifier: Apache-2.0
#include "network.h"

namespace volplugin::sim {
namespace {

constexpr Millis kServersTime{20'000};

}  // namespace

// The server counts the time of a request from when it arrives.
template <class T, class Call>
Result<T> Network::carry(const Op& op, std::string what, std::string volume, Call call) {
  courier_.pass(process_);
  if (process_.dead) return gone(process_, Effect::none);
  TRY(op.check(what));
  // Shared: the request may be carried out when this call has returned long ago.
  const auto answer = std::make_shared<std::optional<Result<T>>>();
  const Courier::Request request{std::move(what), std::move(volume),
                                 [answer, call = std::move(call), &clock = courier_.clock()](Master& master) {
                                   *answer = call(Op(clock, kServersTime, "sim", "sim"), master.control);
                                 }};
  const auto outcome = courier_.send(link_, request);
  std::optional<Result<T>> answered = std::exchange(*answer, std::nullopt);
  courier_.pass(process_);
  if (process_.dead) return gone(process_, Effect::unknown);
  switch (outcome) {
    case Courier::Outcome::refused:
      return make_error(Code::unavailable, "no volmaster can be reached");
    case Courier::Outcome::not_now:
      return make_error(Code::deadline_exceeded, "no answer in time", Effect::unknown);
    case Courier::Outcome::answer_lost:
      return make_error(Code::unavailable, "the connection broke", Effect::unknown);
    case Courier::Outcome::carried_out:
      break;
  }
  return std::move(*answered);
}

using Control = control::ControlPlane;

Result<service::CreateOutcome> Network::create_volume(const Op& op, const service::CreateVolume& request) {
  const auto removes = courier_.removes_of(request.id);
  auto outcome = carry<service::CreateOutcome>(
      op, "create " + request.id.name(), request.id.name(),
      [request](const Op& its_op, Control& control) { return control.create_volume(its_op, request); });
  if (outcome) courier_.created(outcome->volume->value, removes);
  return outcome;
}

Result<model::Record<model::Volume>> Network::get_volume(const Op& op, const model::VolumeId& id) {
  return carry<model::Record<model::Volume>>(
      op, "get " + id.name(), "",
      [id](const Op& its_op, Control& control) { return control.get_volume(its_op, id); });
}

Result<service::Page<model::Volume>> Network::list_volumes(const Op& op, const service::ListQuery& query) {
  return carry<service::Page<model::Volume>>(
      op, "list volumes", "",
      [query](const Op& its_op, Control& control) { return control.list_volumes(its_op, query); });
}

Result<> Network::remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) {
  return carry<void>(op, "remove " + id.name(), id.name(),
                     [id, mode, &courier = courier_](const Op& its_op, Control& control) {
                       return courier.removing(id, [&] { return control.remove_volume(its_op, id, mode); });
                     });
}

Result<model::Record<model::Mount>> Network::acquire_mount(const Op& op,
                                                           const service::AcquireMount& request) {
  const std::string what = fmt::format("acquire {} for {}{}", request.volume.name(), request.node.str(),
                                       request.only_if_claimed ? " if claimed" : "");
  return carry<model::Record<model::Mount>>(op, what, "", [request](const Op& its_op, Control& control) {
    return control.acquire_mount(its_op, request);
  });
}

Result<model::Record<model::Mount>> Network::update_mount(const Op& op, const service::UpdateMount& request) {
  return carry<model::Record<model::Mount>>(
      op, fmt::format("update {} of {}", request.volume.name(), request.node.str()), "",
      [request](const Op& its_op, Control& control) { return control.update_mount(its_op, request); });
}

Result<> Network::release_mount(const Op& op, const service::ReleaseMount& request) {
  const std::string what = fmt::format("release {} of {}{}", request.volume.name(), request.node.str(),
                                       request.fenced ? " fenced" : "");
  return carry<void>(op, what, "", [request](const Op& its_op, Control& control) {
    return control.release_mount(its_op, request);
  });
}

Result<model::Record<model::Mount>> Network::get_mount(const Op& op, const model::VolumeId& id) {
  return carry<model::Record<model::Mount>>(
      op, "get the mount of " + id.name(), "",
      [id](const Op& its_op, Control& control) { return control.get_mount(its_op, id); });
}

Result<service::Page<model::Mount>> Network::list_mounts(const Op& op, const service::ListQuery& query) {
  return carry<service::Page<model::Mount>>(
      op, "list mounts", "",
      [query](const Op& its_op, Control& control) { return control.list_mounts(its_op, query); });
}

Result<model::Record<model::Session>> Network::open_session(const Op& op,
                                                            const service::OpenSession& request) {
  const Counted exclusive(process_.exclusive);  // SessionKeeper lets nobody else call meanwhile
  return carry<model::Record<model::Session>>(
      op, "open session of " + request.node.name.str(), "",
      [request](const Op& its_op, Control& control) { return control.open_session(its_op, request); });
}

Result<> Network::renew_session(const Op& op, const model::NodeName& node, const std::string& session) {
  const Counted exclusive(process_.exclusive);
  return carry<void>(op, "renew session of " + node.str(), "",
                     [node, session](const Op& its_op, Control& control) {
                       return control.renew_session(its_op, node, session);
                     });
}

Result<model::Record<model::Volume>> Network::adopt_volume(const Op& op,
                                                           const service::AdoptVolume& request) {
  const auto removes = courier_.removes_of(request.id);
  auto adopted = carry<model::Record<model::Volume>>(
      op, "adopt " + request.id.name(), request.id.name(),
      [request](const Op& its_op, Control& control) { return control.adopt_volume(its_op, request); });
  if (adopted) courier_.created((*adopted)->value, removes);
  return adopted;
}

Result<model::Record<model::Snapshot>> Network::take_snapshot(const Op& op, const model::SnapshotId& id) {
  const auto removes = courier_.removes_of(id);
  auto taken = carry<model::Record<model::Snapshot>>(
      op, "take " + id.text(), id.volume.name(), [id](const Op& its_op, Control& control) {
        return control.take_snapshot(its_op, {id.volume, id.name});
      });
  if (taken) courier_.taken((*taken)->value, removes);
  return taken;
}

Result<> Network::remove_snapshot(const Op& op, const model::SnapshotId& id) {
  return carry<void>(op, "remove " + id.text(), id.volume.name(),
                     [id, &courier = courier_](const Op& its_op, Control& control) {
                       return courier.removing(id, [&] { return control.remove_snapshot(its_op, id); });
                     });
}

Result<> Network::forget_mount(const Op& op, const service::ForgetMount& request) {
  return carry<void>(
      op, "forget mount of " + request.volume.name(), "",
      [request](const Op& its_op, Control& control) { return control.forget_mount(its_op, request); });
}

}  // namespace volplugin::sim
