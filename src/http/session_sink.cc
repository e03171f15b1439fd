// SPDX-License-Identifier: Apache-2.0
#include "http/session_sink.h"

#include "http/outbox.h"

namespace volplugin::http {
namespace {

// What a Stream writes to. Its destruction is the end of the stream.
class OutboxSink final : public Stream::Sink {
 public:
  OutboxSink(std::shared_ptr<Mailbox> mailbox, std::weak_ptr<Session> session, std::shared_ptr<Outbox> outbox)
      : mailbox_(std::move(mailbox)), session_(std::move(session)), outbox_(std::move(outbox)) {}
  OutboxSink(const OutboxSink&) = delete;
  OutboxSink& operator=(const OutboxSink&) = delete;
  ~OutboxSink() override { end_once(); }

  bool write(Stream::Text text) override {
    switch (outbox_->add(std::move(text))) {
      case Outbox::Added::wake:
        tell(&Session::write_more);
        return true;
      case Outbox::Added::waits:
        return true;
      case Outbox::Added::overflow:
        tell(&Session::close);
        return false;
      case Outbox::Added::refused:
        return false;
    }
    return false;
  }
  bool is_open() const override { return outbox_->is_open(); }
  void end() override { end_once(); }

 private:
  void end_once() {
    if (outbox_->end()) tell(&Session::write_more);
  }
  void tell(void (Session::*what)()) {
    mailbox_->post([session = session_, what] {
      if (const auto alive = session.lock()) (alive.get()->*what)();
    });
  }

  const std::shared_ptr<Mailbox> mailbox_;
  const std::weak_ptr<Session> session_;
  const std::shared_ptr<Outbox> outbox_;
};

}  // namespace

void SessionSink::send(Response response) {
  if (answered_.exchange(true)) return;
  mailbox_->post([session = session_, response = std::move(response)]() mutable {
    if (const auto alive = session.lock()) alive->answer(std::move(response));
  });
}

std::shared_ptr<Stream::Sink> SessionSink::stream(const Response& head, size_t max_waiting) {
  if (answered_.exchange(true)) return nullptr;
  auto outbox = std::make_shared<Outbox>(max_waiting);
  mailbox_->post([session = session_, head = Response(head), outbox]() mutable {
    if (const auto alive = session.lock())
      alive->begin_stream(std::move(head), std::move(outbox));
    else
      outbox->close();
  });
  return std::make_shared<OutboxSink>(mailbox_, session_, std::move(outbox));
}

void SessionSink::abandon_once() {
  if (answered_.exchange(true)) return;
  mailbox_->post([session = session_] {
    if (const auto alive = session.lock()) alive->close();
  });
}

}  // namespace volplugin::http
