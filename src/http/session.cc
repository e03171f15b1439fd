// SPDX-License-Identifier: Apache-2.0
#include "http/session.h"

#include "base/check.h"
#include "http/problem.h"
#include "http/serialize.h"
#include "http/session_sink.h"

#include <array>

namespace volplugin::http {
namespace {

constexpr std::chrono::milliseconds kLinger{1'000};

}  // namespace

Session::Session(SessionHost& host, Socket socket, Peer peer)
    : host_(host), socket_(std::move(socket)), timer_(socket_.get_executor()), peer_(std::move(peer)) {}

void Session::start() {
  set_deadline(host_.limits().idle);
  arm_read();
}

void Session::drain() {
  draining_ = true;
  if (state_ != State::handling && state_ != State::writing) close();
}

void Session::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  error_code ignored;
  timer_.cancel();
  std::ignore = socket_.close(ignored);
  if (outbox_) outbox_->close();
  gone_.request_stop();
  host_.closed(shared_from_this());
}

// With one request; bytes of later ones are only kept.
bool Session::is_busy() const {
  return state_ == State::handling || state_ == State::writing || state_ == State::streaming;
}

// Waits without a buffer: an idle connection costs no read buffer.
void Session::arm_read() {
  if (read_armed_ || eof_ || state_ == State::closed) return;
  if (is_busy() && buffer_.size() >= host_.limits().header_bytes) return;
  read_armed_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code ec) {
    self->read_armed_ = false;
    self->on_readable(ec);
  });
}

void Session::on_readable(error_code ec) {
  if (state_ == State::closed) return;
  const std::span<char> scratch = host_.scratch();
  size_t size = 0;
  if (!ec) size = socket_.read_some(asio::buffer(scratch.data(), scratch.size()), ec);
  if (ec == asio::error::would_block) return arm_read();
  if (ec == asio::error::eof) return on_eof();
  if (ec) return close();
  if (state_ != State::lingering) buffer_.append(scratch.data(), size);
  if (state_ == State::idle)
    begin_request();
  else if (state_ == State::reading)
    parse();
  arm_read();
}

// The peer closed, or only its sending half: that cannot be told apart, so an answer in work is still
// written, but the handler learns that probably nobody waits for it.
void Session::on_eof() {
  eof_ = true;
  if (state_ == State::handling)
    gone_.request_stop();
  else if (state_ != State::writing)
    close();
}

void Session::begin_request() {
  state_ = State::reading;
  reader_.emplace(host_.limits());
  continue_sent_ = false;
  set_deadline(host_.limits().read);
  parse();
}

void Session::parse() {
  buffer_.erase(0, reader_->feed(buffer_));
  if (const auto refusal = reader_->refusal()) {
    reader_.reset();
    return write(problem(refusal->status, refusal->code, refusal->detail), Framing{});
  }
  if (reader_->complete()) return dispatch();
  if (eof_) return close();
  if (reader_->wants_continue() && !continue_sent_) send_continue();
}

// Nothing else is on its way to the peer now, so these few bytes always fit; if not, something is wrong.
void Session::send_continue() {
  continue_sent_ = true;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code ec;
  const size_t sent = socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), ec);
  if (ec || sent != kContinue.size()) close();
}

void Session::dispatch() {
  framing_ = reader_->framing();
  Request request = reader_->take();
  reader_.reset();
  if (buffer_.empty()) std::string().swap(buffer_);
  gone_ = std::stop_source();
  if (eof_) gone_.request_stop();
  request.peer = peer_;
  request.arrived = std::chrono::steady_clock::now();
  request.gone = gone_.get_token();
  state_ = State::handling;
  timer_.cancel();
  host_.dispatch(std::move(request), Reply(std::make_shared<SessionSink>(host_.mailbox(), weak_from_this())));
}

void Session::answer(Response response) {
  if (state_ != State::handling) return;
  gone_ = std::stop_source(std::nostopstate);
  write(std::move(response), framing_);
}

void Session::write(Response response, Framing framing) {
  framing.keep_alive = framing.keep_alive && !draining_ && host_.limits().keep_alive;
  auto head = serialize_head(response, framing);
  if (!head) {
    response = problem(500, to_string(Code::internal), head.error().message);
    head = serialize_head(response, framing);
  }
  CHECK(head.has_value());
  head_ = std::move(*head);
  body_ = body_allowed(response, framing) ? std::move(response.body) : std::string();
  state_ = State::writing;
  set_deadline(host_.limits().write);
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(socket_, buffers, [self = shared_from_this(), framing](error_code ec, size_t) {
    self->on_written(ec, framing.keep_alive);
  });
}

void Session::begin_stream(Response head, std::shared_ptr<Outbox> outbox) {
  if (state_ != State::handling) return outbox->close();
  head.body.clear();
  framing_.keep_alive = false;
  auto text = serialize_head(head, framing_, Length::open);
  if (!text || framing_.head || draining_ || eof_) {
    outbox->close();
    if (draining_ || eof_) return close();
    return answer(text ? std::move(head) : problem(500, to_string(Code::internal), text.error().message));
  }
  head_ = std::move(*text);
  outbox_ = std::move(outbox);
  state_ = State::streaming;
  write_stream({asio::buffer(head_)});
  arm_read();
}

void Session::write_more() {
  if (state_ != State::streaming || stream_writing_) return;
  auto batch = outbox_->take();
  texts_ = std::move(batch.texts);
  if (!texts_.empty()) {
    std::vector<asio::const_buffer> buffers;
    buffers.reserve(texts_.size());
    for (const auto& text : texts_) buffers.push_back(asio::buffer(*text));
    return write_stream(buffers);
  }
  timer_.cancel();
  if (batch.last) linger();
}

void Session::write_stream(const std::vector<asio::const_buffer>& buffers) {
  stream_writing_ = true;
  set_deadline(host_.limits().write);
  asio::async_write(socket_, buffers, [self = shared_from_this()](error_code ec, size_t) {
    self->stream_writing_ = false;
    if (self->state_ == State::closed) return;
    if (ec) return self->close();
    self->write_more();
  });
}

void Session::on_written(error_code ec, bool keep_alive) {
  if (state_ == State::closed) return;
  if (ec) return close();
  std::string().swap(head_);
  std::string().swap(body_);
  if (keep_alive)
    next_request();
  else
    linger();
}

void Session::next_request() {
  state_ = State::idle;
  if (draining_) return close();
  if (!buffer_.empty()) {
    begin_request();
  } else if (eof_) {
    close();
  } else {
    set_deadline(host_.limits().idle);
  }
  arm_read();
}

void Session::linger() {
  if (eof_ || draining_) return close();
  error_code ec;
  std::ignore = socket_.shutdown(Socket::shutdown_send, ec);
  if (ec) return close();
  state_ = State::lingering;
  std::string().swap(buffer_);
  set_deadline(kLinger);
  arm_read();
}

void Session::set_deadline(std::chrono::milliseconds after) {
  timer_.expires_after(after);
  timer_.async_wait([self = shared_from_this()](error_code ec) {
    // A timer that was moved after it had expired still calls back.
    if (!ec && self->timer_.expiry() <= Timer::clock_type::now()) self->on_deadline();
  });
}

void Session::on_deadline() {
  if (state_ == State::reading) {
    reader_.reset();
    write(problem(408, to_string(Code::deadline_exceeded), "the request took too long to arrive"), Framing{});
  } else if (state_ != State::handling && (state_ != State::streaming || stream_writing_)) {
    close();
  }
}

}  // namespace volplugin::http
