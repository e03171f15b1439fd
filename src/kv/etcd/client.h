// SPDX-License-Identifier: Apache-2.0
// Client: requests to a cluster of etcd. Knows its members, goes to the next one when one fails, and keeps
// the token of the user.
//
// A request goes to the member that answered last. A read is repeated with the next member when one does
// not answer within kTry, until patience() is over. A change is sent once: before it, a member that has
// not answered for kFresh has to answer a read; what fails until then certainly did not happen and goes
// to the next member, what fails afterwards is reported as unknown.
//
// Why not leave this to gRPC: its balancers stay for 13 s with a member that hangs, and a list of
// addresses cannot be verified with TLS. Ownership: outlives all that uses it. Threads: any.
#pragma once

#include "base/op.h"
#include "kv/etcd/endpoint.h"
#include "kv/etcd/status.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <etcd/rpc.grpc.pb.h>
#include <grpcpp/grpcpp.h>

namespace volplugin::kv {

// One member and its channel.
struct Member {
  Member(const Endpoint& endpoint, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

  // Whether a call is worth its while. Blocks for a moment when the last connection failed: calls to such a
  // channel fail at once and gRPC, without threads of its own, would not get on with connecting.
  bool reach(Millis wait);

  const std::string url;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<etcdserverpb::KV::Stub> kv;
  const std::unique_ptr<etcdserverpb::Watch::Stub> watch;
  const std::unique_ptr<etcdserverpb::Lease::Stub> lease;
  const std::unique_ptr<etcdserverpb::Auth::Stub> auth;
  std::atomic<SteadyTime> answered{SteadyTime::min()};
};

class Client {
 public:
  static constexpr Millis kTry{1'500};
  static constexpr Millis kWrite{10'000};  // etcd itself gives up after 7 s
  static constexpr Millis kFresh{1'000};

  struct Settings {
    std::vector<Endpoint> endpoints;  // at least one
    std::string probe_key;            // one that the user may read
    std::string user;                 // empty: none
    std::string password;
    grpc::SslCredentialsOptions tls;
  };

  Client(Settings settings, const Clock& clock);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // One request; may be called several times.
  using Attempt = std::function<grpc::Status(Member& member, grpc::ClientContext& context)>;

  // Block. `doing`: "reading a key". Errors: those of error_of().
  // `each_try`: how long a member may take to answer. For more than kTry one must have just answered.
  Result<> read(const Op& op, std::string_view doing, const Attempt& attempt, Millis each_try = kTry);
  Result<> change(const Op& op, std::string_view doing, const Attempt& attempt);

  // For streams: the member to use, and who did not answer.
  Member& preferred();
  void avoid(Member& member);
  // Adds what each request carries. Blocks when the user has to be authenticated.
  grpc::Status prepare(const Op& op, Member& member, grpc::ClientContext& context);
  void forget_token();

  const Clock& clock() const { return clock_; }
  // The longest that a request looks for a member that answers: once around and an election.
  Millis patience(Millis each_try = kTry) const { return each_try * int(members_.size()) + Millis(2'000); }

 private:
  struct Outcome {
    grpc::Status status;
    Sent sent = Sent::harmless;
  };
  Outcome send(const Op& op, Member& member, const Attempt& attempt);
  Outcome send_change(const Op& op, Member& member, const Attempt& attempt);
  grpc::Status probe(const Op& op, Member& member);
  grpc::Status authenticate(const Op& op, Member& member, std::string& token);
  bool goes_on(Member& member, const Outcome& outcome, SteadyTime give_up);

  const Settings settings_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Member>> members_;
  std::atomic<size_t> preferred_{0};
  std::mutex token_mutex_;  // of token_
  std::string token_;       // empty: authenticate first
};

}  // namespace volplugin::kv
