// SPDX-License-Identifier: Apache-2.0
#include "kv/etcd/client.h"

#include <algorithm>

namespace volplugin::kv {
namespace {

constexpr Millis kReach{150};  // for a member that refused connections before; above kReconnectMs
// etcd ends connections whose clients ping more often than every 5 s.
constexpr int kPingMs = 10'000, kPingTimeoutMs = 3'000;
constexpr int kReconnectMs = 100, kMaxReconnectMs = 1'000;

grpc::ChannelArguments channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // pages are bounded by what is asked for
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);     // whether to send again is decided here
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // not through $http_proxy
  // A connection of its own, although another store may have one to the same member.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

Member::Member(const Endpoint& endpoint, const std::shared_ptr<grpc::ChannelCredentials>& credentials)
    : url(endpoint.url()),
      channel(grpc::CreateCustomChannel(endpoint.address, credentials, channel_arguments())),
      kv(etcdserverpb::KV::NewStub(channel)),
      watch(etcdserverpb::Watch::NewStub(channel)),
      lease(etcdserverpb::Lease::NewStub(channel)),
      auth(etcdserverpb::Auth::NewStub(channel)) {}

Client::Client(Settings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {
  for (const Endpoint& endpoint : settings_.endpoints)
    members_.push_back(std::make_unique<Member>(
        endpoint, endpoint.tls ? grpc::SslCredentials(settings_.tls) : grpc::InsecureChannelCredentials()));
}

Result<> Client::read(const Op& op, std::string_view doing, const Attempt& attempt, Millis each_try) {
  const SteadyTime give_up = clock_.now() + patience(each_try);
  for (;;) {
    TRY(op.check(doing));
    Member& member = preferred();
    Outcome outcome = send(op.with_timeout(each_try), member, attempt);
    if (outcome.status.ok()) return {};
    outcome.sent = Sent::harmless;
    if (!goes_on(member, outcome, give_up)) return error_of(outcome.status, Sent::harmless, doing);
  }
}

Result<> Client::change(const Op& op, std::string_view doing, const Attempt& attempt) {
  const SteadyTime give_up = clock_.now() + patience();
  for (;;) {
    TRY(op.check(doing));
    Member& member = preferred();
    const Outcome outcome = send_change(op, member, attempt);
    if (outcome.status.ok()) return {};
    if (!goes_on(member, outcome, give_up)) return error_of(outcome.status, outcome.sent, doing);
  }
}

bool Member::reach(Millis wait) {
  if (channel->GetState(true) != GRPC_CHANNEL_TRANSIENT_FAILURE) return true;  // the call itself connects
  return channel->WaitForConnected(std::chrono::system_clock::now() + std::min(wait, kReach));
}

Client::Outcome Client::send(const Op& op, Member& member, const Attempt& attempt) {
  grpc::ClientContext context;
  if (!member.reach(op.remaining()))
    return {{grpc::StatusCode::UNAVAILABLE, fmt::format("cannot connect to {}", member.url)}};
  if (grpc::Status ready = prepare(op, member, context); !ready.ok()) return {std::move(ready)};
  context.set_deadline(std::chrono::system_clock::now() + op.remaining());
  const std::stop_callback stopped(op.stop(), [&context] { context.TryCancel(); });
  Outcome outcome{attempt(member, context), Sent::change};
  if (outcome.status.ok()) member.answered = clock_.now();
  return outcome;
}

Client::Outcome Client::send_change(const Op& op, Member& member, const Attempt& attempt) {
  const bool fresh =
      clock_.now() - kFresh < member.answered.load() && member.channel->GetState(false) == GRPC_CHANNEL_READY;
  if (!fresh)
    if (grpc::Status alive = probe(op, member); !alive.ok()) return {std::move(alive)};
  Outcome outcome = send(op.with_timeout(kWrite), member, attempt);
  if (is_refused_unseen(outcome.status)) outcome.sent = Sent::harmless;
  return outcome;
}

// Not serializable: the member must have a leader that answers it.
grpc::Status Client::probe(const Op& op, Member& member) {
  const auto attempt = [this](Member& asked, grpc::ClientContext& context) {
    etcdserverpb::RangeRequest request;
    etcdserverpb::RangeResponse response;
    request.set_key(settings_.probe_key);
    request.set_count_only(true);
    return asked.kv->Range(&context, request, &response);
  };
  return send(op.with_timeout(kTry), member, attempt).status;
}

// A change that left, and may have been done, never goes on: that is for its caller to find out.
bool Client::goes_on(Member& member, const Outcome& outcome, SteadyTime give_up) {
  if (!is_worth_another_try(outcome.status)) return false;
  if (is_about_token(outcome.status))
    forget_token();
  else
    avoid(member);  // also for those that come after this one
  if (outcome.sent == Sent::change || clock_.now() >= give_up) return false;
  return true;
}

Member& Client::preferred() {
  return *members_[preferred_.load()];
}

void Client::avoid(Member& member) {
  member.answered = SteadyTime::min();  // whatever its channel says: the next change asks first
  size_t current = preferred_.load();
  // Several requests fail together; the member is left once.
  if (members_[current].get() == &member)
    preferred_.compare_exchange_strong(current, (current + 1) % members_.size());
}

grpc::Status Client::prepare(const Op& op, Member& member, grpc::ClientContext& context) {
  // A member that lost its cluster refuses, instead of serving what is out of date.
  context.AddMetadata("hasleader", "true");
  if (settings_.user.empty()) return grpc::Status::OK;
  std::string token;
  {
    const std::lock_guard lock(token_mutex_);
    token = token_;
  }
  if (token.empty())
    if (grpc::Status known = authenticate(op, member, token); !known.ok()) return known;
  context.AddMetadata("token", token);
  return grpc::Status::OK;
}

grpc::Status Client::authenticate(const Op& op, Member& member, std::string& token) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::min(kTry, op.remaining()));
  const std::stop_callback stopped(op.stop(), [&context] { context.TryCancel(); });
  etcdserverpb::AuthenticateRequest request;
  etcdserverpb::AuthenticateResponse response;
  request.set_name(settings_.user);
  request.set_password(settings_.password);
  grpc::Status status = member.auth->Authenticate(&context, request, &response);
  if (!status.ok()) return status;
  token = response.token();
  const std::lock_guard lock(token_mutex_);
  token_ = token;
  return status;
}

void Client::forget_token() {
  const std::lock_guard lock(token_mutex_);
  token_.clear();
}

}  // namespace volplugin::kv
