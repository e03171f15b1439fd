// SPDX-License-Identifier: Apache-2.0
// Session: one connection. Reads a request, hands it to the host, writes the answer, reads the next.
//
//   idle --first byte--> reading --complete--> handling --answer--> writing --kept alive--> idle
//                           |                     |                    |
//                           | refused             | abandoned          | last answer
//                           v                     v                    v
//                        writing                closed  <--------- lingering
//
// A stream goes from handling to streaming and writes what its Outbox has; behind its end it lingers. The
// peer's end of data closes it.
//
// A failed socket, a passed deadline or close() leads to `closed` from everywhere. Deadlines: idle, reading
// and writing have their limit, and so has each write of a stream; handling has none; lingering (we sent our
// last byte and let the peer finish its own, or a reset could destroy our answer) is short. While handling, a
// pending read notices the peer's leaving; bytes of later requests are kept, up to header_bytes.
//
// Ownership: shared by its pending callbacks and the host's list. Threads: everything on the one I/O
// thread, which therefore is the strand. SessionSink brings answers there from other threads.
#pragma once

#include "http/asio.h"
#include "http/outbox.h"
#include "http/parse.h"
#include "http/server.h"

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

namespace volplugin::http {

// The way from any thread to the I/O thread, also when that has ended: then posting does nothing.
class Mailbox {
 public:
  explicit Mailbox(asio::io_context& io) : io_(&io) {}

  template <class Function>
  void post(Function function) {
    const std::lock_guard lock(mutex_);
    if (io_ != nullptr) asio::post(*io_, std::move(function));
  }
  void close() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;
  asio::io_context* io_;
};

class Session;

// What a session needs of its server. Called on the I/O thread.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual const Limits& limits() const = 0;
  virtual std::span<char> scratch() = 0;  // read buffer shared by all sessions
  virtual const std::shared_ptr<Mailbox>& mailbox() = 0;
  virtual void dispatch(Request request, Reply reply) = 0;
  virtual void closed(const std::shared_ptr<Session>& session) = 0;
};

class Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(SessionHost& host, Socket socket, Peer peer);

  void start();
  void answer(Response response);
  void begin_stream(Response head, std::shared_ptr<Outbox> outbox);
  // What the outbox has, unless a write is under way.
  void write_more();
  // Closes now what has no request in work; the rest after its answer.
  void drain();
  void close();

 private:
  enum class State { idle, reading, handling, writing, streaming, lingering, closed };

  void arm_read();
  void on_readable(error_code ec);
  void on_eof();
  void begin_request();
  void parse();
  void send_continue();
  void dispatch();
  void write(Response response, Framing framing);
  void on_written(error_code ec, bool keep_alive);
  void write_stream(const std::vector<asio::const_buffer>& buffers);
  bool is_busy() const;
  void next_request();
  void linger();
  void set_deadline(std::chrono::milliseconds after);
  void on_deadline();

  SessionHost& host_;
  Socket socket_;
  Timer timer_;
  const Peer peer_;
  State state_ = State::idle;
  bool read_armed_ = false;
  bool eof_ = false;
  bool draining_ = false;
  bool continue_sent_ = false;
  std::string buffer_;  // received, not yet understood
  std::optional<RequestReader> reader_;
  Framing framing_;  // of the request in work
  std::stop_source gone_{std::nostopstate};
  std::string head_;  // of the answer being written
  std::string body_;
  std::shared_ptr<Outbox> outbox_;   // of the stream
  std::vector<Stream::Text> texts_;  // being written
  bool stream_writing_ = false;
};

}  // namespace volplugin::http
