// SPDX-License-Identifier: Apache-2.0
#include "dockerplugin/plugin.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace volplugin::dockerplugin {
namespace {

// The engine waits 120 s for Create and Mount, 60 s for everything else: answer, or undo, before that.
constexpr Millis kLongDeadline{110'000};
constexpr Millis kShortDeadline{55'000};
constexpr Millis kReleaseInterval{500};

enum class Method { activate, capabilities, create, remove, mount, unmount, path, get, list };

const std::map<std::string, Method, std::less<>>& methods() {
  static const std::map<std::string, Method, std::less<>> table{
      {"/Plugin.Activate", Method::activate},   {"/VolumeDriver.Capabilities", Method::capabilities},
      {"/VolumeDriver.Create", Method::create}, {"/VolumeDriver.Remove", Method::remove},
      {"/VolumeDriver.Mount", Method::mount},   {"/VolumeDriver.Unmount", Method::unmount},
      {"/VolumeDriver.Path", Method::path},     {"/VolumeDriver.Get", Method::get},
      {"/VolumeDriver.List", Method::list}};
  return table;
}

}  // namespace

struct Plugin::Call {
  Method method;
  const http::Request& request;
  Op op;
};

Plugin::Plugin(service::VolumeService& volumes, const Clock& clock, PluginSettings settings,
               std::function<void(const std::string&)> log)
    : volumes_(volumes),
      clock_(clock),
      settings_(std::move(settings)),
      log_(std::move(log)),
      releaser_("docker-held", kReleaseInterval, [this](const std::stop_token&) { release_held(); }) {}

void Plugin::handle(const http::Request& request, const http::Reply& reply) {
  const auto method = methods().find(request.path);
  if (method == methods().end() || (settings_.verbs == Verbs::post && request.method != "POST"))
    return refuse(request, reply);
  if (method->second == Method::get && request.body.empty() && settings_.lost_its_body(request)) {
    // The engine's retry lost its body. It takes an error for "no such volume" and, when it starts, forgets
    // the volume; a connection that closes is only a failed attempt.
    log_("docker VolumeDriver.Get: a retry without a body; closing the connection");
    reply.abandon();
    return;
  }
  const bool takes_long = method->second == Method::create || method->second == Method::mount;
  // The engine waits from the moment it asked, not from when a thread was free for it.
  const Millis waited =
      std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - request.arrived);
  const Millis allowed = (takes_long ? kLongDeadline : kShortDeadline) - waited;
  const Call call{method->second, request,
                  Op(clock_, std::max(allowed, Millis(0)), make_request_id(), "docker", request.gone)};
  const auto result = dispatch(call);
  if (result) {
    reply.send(answer(*result));
    return;
  }
  const Error& error = result.error();
  const bool question = call.method == Method::get || call.method == Method::list;
  const bool unknown = error.code == Code::unavailable || error.code == Code::deadline_exceeded;
  // dockerd asks for many volumes that do not exist before it creates them: not worth a line.
  if (!(question && error.code == Code::not_found))
    log_(fmt::format("docker {} {}: {} ({}, request {})", request.path.substr(1), request.body.substr(0, 200),
                     error.message, to_string(error.code), call.op.request_id()));
  if (question && unknown)
    hold(reply);
  else
    reply.send(answer(error_body(error.message)));
}

http::Response Plugin::answer(std::string body) const {
  return {200, settings_.content_type, {}, std::move(body)};
}

void Plugin::refuse(const http::Request& request, const http::Reply& reply) const {
  if (settings_.not_part_of_it) return reply.send(*settings_.not_part_of_it);
  auto refusal = answer(error_body(
      fmt::format("{} {} is not part of the volume plugin protocol", request.method, request.path)));
  refusal.status = 404;
  reply.send(std::move(refusal));
}

Result<VolumeRequest> Plugin::parse(const Call& call) const {
  auto request = TRY(settings_.parse(call.request.body));
  if (settings_.called) settings_.called(call.request, request);
  return request;
}

Result<std::string> Plugin::dispatch(const Call& call) {
  if (call.method == Method::activate) {
    volumes_.engine_activated(call.request.peer.pid);
    return activate_body();
  }
  if (call.method == Method::capabilities) return capabilities_body(settings_.scope);
  if (call.method == Method::list) return volumes_body(TRY(volumes_.list(call.op)));
  if (call.method == Method::mount) return mount(call);
  const auto request = TRY(parse(call));
  switch (call.method) {
    case Method::create:
      TRY(volumes_.create(call.op, request.name, request.options));
      return error_body("");
    case Method::remove:
      TRY(volumes_.remove(call.op, request.name));
      return error_body("");
    case Method::unmount:
      // A reference is dropped even for an engine that went away meanwhile: it never asks again.
      TRY(volumes_.unmount(call.op.for_cleanup(kShortDeadline), request.name, request.mount_id));
      return error_body("");
    case Method::path:
      return mountpoint_body(TRY(volumes_.path(call.op, request.name)));
    case Method::get:
      return volume_body(TRY(volumes_.get(call.op, request.name)));
    case Method::activate:
    case Method::capabilities:
    case Method::list:
    case Method::mount:
      break;
  }
  return make_error(Code::internal, "unknown method");
}

// The engine that gave up waiting sends no Unmount: a mount nobody was told of is undone.
Result<std::string> Plugin::mount(const Call& call) {
  const auto request = TRY(parse(call));
  const std::string path =
      TRY(volumes_.mount(call.op, {request.name, request.mount_id, call.request.peer.pid}));
  if (!call.request.gone.stop_requested()) return mountpoint_body(path);
  TRY_CTX(volumes_.unmount(call.op.for_cleanup(kShortDeadline), request.name, request.mount_id),
          "undoing a mount whose caller went away");
  return make_error(Code::cancelled,
                    "the engine closed the connection before the mount was done; it was undone");
}

void Plugin::hold(const http::Reply& reply) {
  const std::lock_guard lock(mutex_);
  held_.push_back({clock_.now() + settings_.hold, reply});
}

void Plugin::release_held() {
  std::vector<Held> due;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(held_, [&](const Held& held) {
      if (clock_.now() < held.until) return false;
      due.push_back(held);
      return true;
    });
  }
  for (const auto& held : due) held.reply.abandon();
}

}  // namespace volplugin::dockerplugin
