// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include "http/acceptor.h"
#include "http/handler_pool.h"
#include "http/listener.h"
#include "http/problem.h"
#include "http/session.h"
#include "http/unix_path.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_set>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

namespace volplugin::http {
namespace {

int socket_family(int fd) {
  int family = AF_UNSPEC;
  socklen_t length = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
  return family;
}

// Answers are small and whole: no Nagle. Keep-alive probes find hosts that vanished during a long poll.
void tune_tcp(int fd) {
  const int on = 1;
  const int idle_seconds = 60;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

// Members without another word belong to the I/O thread once it runs.
struct Server::State final : SessionHost {
  State(Limits given, Handler function)
      : limits_(given), handler(std::move(function)), pool(given.handler_threads, given.queued_requests) {}

  const Limits& limits() const override { return limits_; }
  std::span<char> scratch() override { return buffer; }
  const std::shared_ptr<Mailbox>& mailbox() override { return box; }
  void dispatch(Request request, Reply reply) override;
  void closed(const std::shared_ptr<Session>& session) override;

  void start_accepting();
  void accept(Fd fd);
  void begin_drain();
  void close_sessions();
  void wait_drained(std::chrono::milliseconds grace);

  const Limits limits_;
  const Handler handler;
  asio::io_context io{1};  // one thread runs it: the io_context is the strand of every session
  std::shared_ptr<Mailbox> box = std::make_shared<Mailbox>(io);
  std::array<char, 32 * 1024> buffer;
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  std::unordered_set<std::shared_ptr<Session>> sessions;
  bool draining = false;

  HandlerPool pool;
  std::mutex lifecycle;             // held by listen, adopt, start and stop
  std::vector<Listener> listeners;  // guarded by lifecycle
  bool started = false;             // guarded by lifecycle
  bool stopped = false;             // guarded by lifecycle
  std::mutex drained_mutex;
  std::condition_variable drained_changed;
  bool drained = false;  // guarded by drained_mutex
  std::jthread thread;
};

void Server::State::dispatch(Request request, Reply reply) {
  const bool queued = pool.submit([this, request = std::move(request), reply]() mutable {
    const Reply keep = reply;
    try {
      handler(std::move(request), std::move(reply));
    } catch (const std::exception& error) {
      keep.send(problem(500, to_string(Code::internal), fmt::format("the handler failed: {}", error.what())));
    } catch (...) {
      keep.send(problem(500, to_string(Code::internal), "the handler failed"));
    }
  });
  if (queued) return;
  Response busy =
      problem(503, to_string(Code::unavailable), "too many requests are waiting; try again later");
  busy.headers.emplace_back("Retry-After", "1");
  reply.send(std::move(busy));
}

void Server::State::closed(const std::shared_ptr<Session>& session) {
  sessions.erase(session);
  for (const auto& acceptor : acceptors) acceptor->arm();
  if (!draining || !sessions.empty()) return;
  const std::lock_guard lock(drained_mutex);
  drained = true;
  drained_changed.notify_all();
}

void Server::State::start_accepting() {
  for (auto& listener : listeners) {
    acceptors.push_back(std::make_unique<Acceptor>(
        io, std::move(listener.fd),
        Acceptor::Owner{.has_room = [this] { return sessions.size() < limits_.connections; },
                        .accepted = [this](Fd fd) { accept(std::move(fd)); }}));
    acceptors.back()->arm();
  }
}

void Server::State::accept(Fd fd) {
  const int family = socket_family(fd.get());
  if (family != AF_UNIX) tune_tcp(fd.get());
  Peer peer = describe_peer(fd.get());
  const asio::generic::stream_protocol protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP);
  Socket socket(io);
  error_code ec;
  std::ignore = socket.assign(protocol, fd.get(), ec);
  if (ec) return;  // cannot be watched (ENOMEM): dropped
  std::ignore = fd.release();
  std::ignore = socket.non_blocking(true, ec);
  auto session = std::make_shared<Session>(*this, std::move(socket), std::move(peer));
  sessions.insert(session);
  session->start();
}

void Server::State::begin_drain() {
  draining = true;
  for (const auto& acceptor : acceptors) acceptor->close();
  const auto copy = sessions;  // closing changes the set
  for (const auto& session : copy) session->drain();
  const std::lock_guard lock(drained_mutex);
  drained = sessions.empty();
  drained_changed.notify_all();
}

void Server::State::close_sessions() {
  const auto copy = sessions;
  for (const auto& session : copy) session->close();
}

void Server::State::wait_drained(std::chrono::milliseconds grace) {
  std::unique_lock lock(drained_mutex);
  drained_changed.wait_for(lock, grace, [this] { return drained; });
}

Server::Server(Limits limits, Handler handler)
    : state_(std::make_unique<State>(limits, std::move(handler))) {}

Server::~Server() {
  stop();
}

Result<std::string> Server::listen(const std::string& address, SocketFile file) {
  const std::lock_guard lock(state_->lifecycle);
  if (state_->started || state_->stopped) return make_error(Code::conflict, "listen() comes before start()");
  const Address parsed = TRY(parse_address(address));
  Listener listener = TRY(open_listener(parsed, file));
  std::string real = listener.address;
  state_->listeners.push_back(std::move(listener));
  return real;
}

Result<> Server::adopt(int listening_fd) {
  const std::lock_guard lock(state_->lifecycle);
  if (state_->started || state_->stopped) return make_error(Code::conflict, "adopt() comes before start()");
  state_->listeners.push_back(TRY(adopt_listener(listening_fd)));
  return {};
}

Result<> Server::start() {
  const std::lock_guard lock(state_->lifecycle);
  if (state_->started || state_->stopped) return make_error(Code::conflict, "the server was started already");
  State& state = *state_;
  try {
    state.start_accepting();
    state.thread = std::jthread([&state] {
      const auto work = asio::make_work_guard(state.io);
      state.io.run();
    });
  } catch (const std::system_error& error) {
    return make_error(Code::resource_exhausted,
                      fmt::format("cannot start the HTTP server: {}", error.what()));
  }
  pthread_setname_np(state.thread.native_handle(), "http-io");
  state.started = true;
  return {};
}

void Server::stop(std::chrono::milliseconds grace) {
  const std::lock_guard lock(state_->lifecycle);
  if (state_->stopped) return;
  State& state = *state_;
  state.stopped = true;
  if (state.started) {
    asio::post(state.io, [&state] { state.begin_drain(); });
    state.wait_drained(grace);
    asio::post(state.io, [&state] { state.close_sessions(); });
    state.pool.stop();
    // No answer is posted from here on, so the I/O thread's queue ends with this.
    state.box->close();
    asio::post(state.io, [&state] { state.io.stop(); });
    state.thread.join();
  }
  for (const auto& listener : state.listeners)
    if (!listener.path.empty()) remove_socket_file(listener.path, listener.device, listener.inode);
}

}  // namespace volplugin::http
