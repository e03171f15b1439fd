// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 server over TCP (optionally TLS later) and unix sockets. Parsing by Boost.Beast, sockets by
// Boost.Asio; nothing outside this folder knows either. Handlers are plain functions on a bounded pool of
// threads; a handler may answer later from any thread (long polls) through its Reply.
// Lifecycle: construct, listen (repeatable), serve; stop() or destruction closes every connection and
// joins all threads. Threads: add listeners before start(); everything else from any thread.
#pragma once

#include "base/result.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace volplugin::http {

struct Peer {
  bool unix_socket = false;
  std::optional<pid_t> pid;  // SO_PEERCRED; 0 when the peer is in a pid namespace we cannot see
  std::optional<uid_t> uid;
  std::string address;  // "127.0.0.1:41234" or "unix"
};

struct Request {
  std::string method;  // as sent, upper case
  std::string path;    // percent-decoded per segment is the router's business; this is the raw path
  std::string query;   // raw, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  Peer peer;
  // When it had come in whole; it may have waited for a handler since.
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
  // Requested when the peer closes the connection (or its sending half) before the answer, and when stop()
  // runs out of grace. Its callbacks run on the I/O thread and must not block.
  std::stop_token gone;

  // Value of the first header of that lower-case name, or empty.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  // Refused with 500: CR, LF and NUL in them, and Content-Length, Transfer-Encoding and Connection, which
  // are the server's own.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// An answer that goes on: texts go out as they come, until the end. It has no length, so the connection is
// closed behind it. Copyable handle, usable from any thread; nothing here blocks. Dropping the last copy ends
// it. The peer's leaving shows as is_open() false, and as Request::gone. When the server stops, it ends.
class Stream {
 public:
  using Text = std::shared_ptr<const std::string>;  // one text may go to many streams without a copy
  // Where the texts go. Thread-safe; destruction is an end().
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual bool write(Text text) = 0;
    virtual bool is_open() const = 0;
    virtual void end() = 0;
  };
  // null: closed from the start.
  explicit Stream(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

  // False when the stream is closed: it ended, the peer left, or so much was waiting for a peer that does not
  // read that this text had no room; the connection is closed then, in the middle of whatever was sent.
  bool write(Text text) const { return sink_ && sink_->write(std::move(text)); }
  bool is_open() const { return sink_ && sink_->is_open(); }
  // After what was written. Idempotent.
  void end() const {
    if (sink_) sink_->end();
  }

 private:
  std::shared_ptr<Sink> sink_;
};

// One-shot answer to one request. Copyable handle, usable from any thread, after the handler returned
// too. Dropping the last copy unanswered closes the connection.
class Reply {
 public:
  // Where answers go. Thread-safe; the first call of any counts, and so does destruction (abandon).
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void send(Response response) = 0;
    // null: answered already, or not possible here.
    virtual std::shared_ptr<Stream::Sink> stream(const Response& /*head*/, size_t /*max_waiting*/) {
      return nullptr;
    }
    virtual void abandon() = 0;
  };
  explicit Reply(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
  // All are ignored after the first answer, after the peer left and after the Server ended.
  void send(Response response) const { sink_->send(std::move(response)); }
  // Begins an answer that goes on; the body of `head` is not sent. At most `max_waiting` bytes wait for a
  // peer that reads slowly.
  Stream stream(const Response& head, size_t max_waiting) const {
    return Stream(sink_->stream(head, max_waiting));
  }
  void abandon() const { sink_->abandon(); }  // closes the connection without an answer

 private:
  std::shared_ptr<Sink> sink_;
};

// May block. An exception that leaves it is answered with 500.
using Handler = std::function<void(Request, Reply)>;

struct Limits {
  size_t header_bytes = 16 * 1024;
  size_t body_bytes = 1024 * 1024;         // larger: 413
  size_t connections = 1024;               // more wait in the listen queue
  size_t queued_requests = 256;            // more are answered 503
  unsigned handler_threads = 16;           // upper bound; threads are started when needed
  std::chrono::milliseconds read{10'000};  // from the first byte of a request to its last
  std::chrono::milliseconds write{10'000};
  std::chrono::milliseconds idle{300'000};  // kept-alive connection without a request
  bool allow_empty_host = false;            // dockerd 20.10 sends "Host:" with nothing behind it
  bool keep_alive = true;                   // false: every connection is closed after its first answer
};

// Who may connect to a unix socket: the access its file has before anybody can see it.
struct SocketFile {
  mode_t mode = 0600;
  std::optional<gid_t> group;  // else the group of this process
};

class Server {
 public:
  Server(Limits limits, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "host:port" (port 0: the kernel chooses) or "unix:///path". A stale unix socket file (nobody
  // listens) is replaced, a live one is not: already_exists. The parent directory of the file is made (0755)
  // if missing. Returns the address in the same form with the real port.
  Result<std::string> listen(const std::string& address, SocketFile file = {});
  // Takes over a listening stream socket, e.g. from systemd. Its file is not removed at the end. After an
  // error the descriptor is still the caller's.
  Result<> adopt(int listening_fd);

  // Begins to serve. Connections made since listen() waited in the kernel's queue.
  Result<> start();
  // Stops accepting, closes connections without a request and those of streams, lets running handlers finish
  // for up to `grace`, then asks them to stop (Request::gone), closes the rest, joins, and removes the unix
  // socket files it made (only if they are still its own). Idempotent. Blocks until every handler returned:
  // not to be called from a handler.
  void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(5'000));

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace volplugin::http
