// SPDX-License-Identifier: Apache-2.0
#include "daemon/volmaster_role.h"

#include "daemon/version.h"
#include "os/host.h"
#include "rest/answer.h"

#include <algorithm>

namespace volplugin::daemon {
namespace {

constexpr Millis kLoadTimeout{3'600'000};   // each page of records has a limit of its own
constexpr Millis kProgressInterval{5'000};  // in the log
constexpr Millis kRecoveryInterval{5'000};
constexpr Millis kRecoveryTimeout{120'000};
constexpr Millis kSecond{1'000};
constexpr mode_t kApiSocketMode = 0600;  // root only: the API is not authenticated

bool is_local(const std::string& address) {
  return address.starts_with("unix://") || address.starts_with("127.") || address.starts_with("localhost:") ||
         address.starts_with("[::1]");
}

bool is_away(const Error& error) {
  return error.code == Code::unavailable || error.code == Code::deadline_exceeded;
}

}  // namespace

model::ServerDefaults server_defaults(const CommonSettings& common) {
  model::ServerDefaults defaults;
  defaults.backend = common.backend.empty() ? std::string(backend::kDefaultBackend) : common.backend;
  defaults.pools.emplace(backend::kDefaultBackend, backend::kDefaultPool);
  for (const auto& [name, pool] : common.default_pools) defaults.pools[name] = pool;
  return defaults;
}

Result<executor::Backends> open_configured_backends(const CommonSettings& common, const std::string& host,
                                                    const Clock& clock) {
  const auto defaults = server_defaults(common);
  backend::BackendSettings settings{common.data_dir, host, common.backend_options};
  settings.options[defaults.backend];  // every backend that is mentioned is opened
  for (const auto& [name, pool] : defaults.pools) settings.options[name];
  auto backends = TRY(backend::open_backends(settings, clock));
  for (const auto& [name, pool] : defaults.pools)
    TRY_CTX(backends.at(name)->validate_pool(pool), "--default-pool {}", name);
  return backends;
}

VolmasterRole::VolmasterRole(const Request& request, const Clock& clock)
    : clock_(clock),
      settings_{server_defaults(request.common), request.local_node, kVersion, request.store.shown,
                !request.store.is_shared},
      store_is_shared_(request.store.is_shared),
      mount_root_(request.mount_root),
      tasks_(clock),
      waiting_for_(make_error(Code::unavailable, "volmaster is not ready: it reads its store")) {}

Result<std::unique_ptr<VolmasterRole>> VolmasterRole::open(const Request& request, const Clock& clock) {
  std::unique_ptr<VolmasterRole> role(new VolmasterRole(request, clock));
  role->store_ = TRY(request.store.open(clock));
  // An image that volmaster formats is not held by the agent of the same host.
  const std::string host =
      request.local_node ? request.local_node->str() : "volmaster@" + TRY(os::host_name());
  role->backends_ = TRY(open_configured_backends(request.common, host, clock));
  VolmasterRole* self = role.get();
  role->each_second_ = std::make_unique<Periodic>(
      "each-second", kSecond, [self](const std::stop_token& stop) { self->each_second(stop); });
  TRY(role->await_load());
  TRY(role->serve(request));
  role->recovery_ = std::make_unique<Periodic>("recovery", kRecoveryInterval,
                                               [self](const std::stop_token& stop) { self->recover(stop); });
  return role;
}

// Errors: that of the first try to load. A server may still come; a file that is not there now never will.
Result<> VolmasterRole::await_load() {
  std::unique_lock lock(waiting_mutex_);
  const auto tried = [this] { return first_try_.has_value(); };
  if (!store_is_shared_)
    tried_.wait(lock, tried);
  else if (!tried_.wait_for(lock, kStartPatience, tried))
    return {};
  if (*first_try_ || (store_is_shared_ && is_away(first_try_->error()))) return {};
  return *first_try_;
}

void VolmasterRole::try_to_load(const std::stop_token& stop) {
  const auto loaded = load(stop);
  const std::lock_guard lock(waiting_mutex_);
  if (!loaded)
    waiting_for_ = make_error(Code::unavailable,
                              fmt::format("volmaster waits for its store: {}", loaded.error().message));
  if (!first_try_ && !loaded && is_away(loaded.error()))
    log(LogLevel::warning, fmt::format("waiting for the store: {}", loaded.error().message));
  if (first_try_ && loaded) log(LogLevel::info, "the store answers");
  if (!first_try_) first_try_ = loaded;
  tried_.notify_all();
}

Result<> VolmasterRole::load(const std::stop_token& stop) {
  const Op op(clock_, kLoadTimeout, make_request_id(), "start", stop);
  const SteadyTime since = progress_told_ = clock_.now();
  catalog_ = TRY(
      catalog::Catalog::open(op, *store_, [this, since](size_t records) { note_progress(since, records); }));
  for (const auto& problem : catalog_->problems()) log(LogLevel::error, problem);
  if (progress_told_ != since)
    log(LogLevel::info, fmt::format("the records are loaded, in {} s", (clock_.now() - since) / kSecond));
  executor_ = std::make_unique<executor::Executor>(backends_, filesystems_, mount_root_);
  control_ = std::make_unique<control::ControlPlane>(
      control::Parts{*catalog_, backends_, *executor_, tasks_, clock_}, settings_);
  events_ = std::make_unique<control::EventFeed>(
      *catalog_, [this](const model::NodeName& node) { return control_->connected(node); });
  api_ = std::make_unique<rest::Api>(*control_, *events_, clock_, kVersion);
  serving_ = api_.get();
  return {};
}

void VolmasterRole::note_progress(SteadyTime since, size_t records) {
  const SteadyTime now = clock_.now();
  if (now - progress_told_ < kProgressInterval) return;
  progress_told_ = now;
  const std::string progress =
      fmt::format("loading the records: {} in {} s", records, (now - since) / kSecond);
  log(LogLevel::info, progress);
  const std::lock_guard lock(waiting_mutex_);
  waiting_for_ = make_error(Code::unavailable, "volmaster is not ready: " + progress);
}

void VolmasterRole::each_second(const std::stop_token& stop) {
  rest::Api* const api = serving_.load();
  if (api == nullptr) return try_to_load(stop);
  tasks_.expire();
  api->tick();
  control_->prolong_presence(Op(clock_, 2 * kSecond, make_request_id(), "presence", stop));
}

void VolmasterRole::answer(http::Request received, http::Reply reply) {
  log(LogLevel::debug, fmt::format("api {} {}?{} from {}", received.method, received.path, received.query,
                                   received.peer.address));
  if (rest::Api* api = serving_.load()) return api->handle(std::move(received), std::move(reply));
  const std::lock_guard lock(waiting_mutex_);
  reply.send(rest::not_ready(received, waiting_for_, kVersion));
}

Result<> VolmasterRole::serve(const Request& request) {
  server_ = std::make_unique<http::Server>(http::Limits{}, [this](http::Request received, http::Reply reply) {
    answer(std::move(received), std::move(reply));
  });
  if (request.listening_fd) TRY(server_->adopt(*request.listening_fd));
  for (const auto& address : request.listen) {
    const std::string bound = TRY(server_->listen(address, {kApiSocketMode}));
    log(LogLevel::info, fmt::format("serving the API on {}", bound));
    if (!is_local(address))
      log(LogLevel::warning,
          fmt::format("the API on {} is not authenticated: whoever reaches it can delete volumes "
                      "and run commands as root; restrict it with a firewall or --listen",
                      bound));
  }
  return server_->start();
}

void VolmasterRole::recover(const std::stop_token& stop) {
  if (serving_.load() == nullptr) return;
  const Op op(clock_, kRecoveryTimeout, make_request_id(), "recovery", stop);
  const auto left = control_->recover_step(op);
  for (const auto& line : left)
    if (told_.insert(line).second) log(LogLevel::warning, line);
  std::erase_if(told_,
                [&](const auto& line) { return std::find(left.begin(), left.end(), line) == left.end(); });
}

VolmasterRole::~VolmasterRole() {
  each_second_.reset();
  recovery_.reset();
  tasks_.close();
  if (server_) server_->stop();
}

}  // namespace volplugin::daemon
