// SPDX-License-Identifier: Apache-2.0
// WatchStream: one Watch call to a member, which carries any number of watches. Requests go out in order;
// answers wait, one at a time, until they are taken, so that a slow reader slows down etcd and costs no
// memory. Threads: used by one; gRPC's own threads call the reactions, which only note what happened.
//   open --(the member, the connection or cancel() ends it)--> broken --finish()--> done
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include <etcd/rpc.grpc.pb.h>
#include <grpcpp/grpcpp.h>

namespace volplugin::kv {

class WatchStream final
    : private grpc::ClientBidiReactor<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse> {
 public:
  // `woken` is called, from any thread, when there is an answer to take or the stream broke.
  explicit WatchStream(std::function<void()> woken) : woken_(std::move(woken)) {}
  ~WatchStream() override;
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;

  grpc::ClientContext& context() { return context_; }  // before start()
  void start(etcdserverpb::Watch::Stub& stub);
  void send(etcdserverpb::WatchRequest request);
  std::optional<etcdserverpb::WatchResponse> take();
  bool broken();
  // Ends the call, blocks for as long as gRPC takes to clean up, and says why it ended.
  grpc::Status finish();

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const std::function<void()> woken_;
  grpc::ClientContext context_;
  etcdserverpb::WatchRequest writing_;  // while it is written
  etcdserverpb::WatchResponse reading_;

  std::mutex mutex_;  // of all below
  std::condition_variable done_changed_;
  std::deque<etcdserverpb::WatchRequest> waiting_;
  bool is_writing_ = false;
  bool has_answer_ = false;  // in reading_
  bool broken_ = false;
  bool started_ = false;
  bool held_ = false;  // gRPC is told that more may be started from here
  bool done_ = false;
  grpc::Status status_;
};

}  // namespace volplugin::kv
