// SPDX-License-Identifier: Apache-2.0
// SessionSink: brings the answer to one request of one session to the I/O thread, from any thread.
#pragma once

#include "http/session.h"

#include <atomic>
#include <memory>

namespace volplugin::http {

class SessionSink final : public Reply::Sink {
 public:
  SessionSink(std::shared_ptr<Mailbox> mailbox, std::weak_ptr<Session> session)
      : mailbox_(std::move(mailbox)), session_(std::move(session)) {}
  SessionSink(const SessionSink&) = delete;
  SessionSink& operator=(const SessionSink&) = delete;
  ~SessionSink() override { abandon_once(); }

  void send(Response response) override;
  std::shared_ptr<Stream::Sink> stream(const Response& head, size_t max_waiting) override;
  void abandon() override { abandon_once(); }

 private:
  void abandon_once();

  const std::shared_ptr<Mailbox> mailbox_;
  const std::weak_ptr<Session> session_;
  std::atomic<bool> answered_ = false;
};

}  // namespace volplugin::http
