// SPDX-License-Identifier: Apache-2.0
#include "daemon/volmaster_role.h"

#include "daemon/version.h"
#include "os/host.h"
#include "rest/answer.h"

#include <algorithm>

namespace volplugin::daemon {
namespace {

constexpr Millis kStartTimeout{30'000};
constexpr Millis kRecoveryInterval{5'000};
constexpr Millis kRecoveryTimeout{120'000};
constexpr Millis kSecond{1'000};
constexpr mode_t kApiSocketMode = 0600;  // root only: the API is not authenticated

bool is_local(const std::string& address) {
  return address.starts_with("unix://") || address.starts_with("127.") || address.starts_with("localhost:") ||
         address.starts_with("[::1]");
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
      mount_root_(request.mount_root),
      tasks_(clock) {}

Result<std::unique_ptr<VolmasterRole>> VolmasterRole::open(const Request& request, const Clock& clock) {
  std::unique_ptr<VolmasterRole> role(new VolmasterRole(request, clock));
  role->store_ = TRY(request.store.open(clock));
  // An image that volmaster formats is not held by the agent of the same host.
  const std::string host =
      request.local_node ? request.local_node->str() : "volmaster@" + TRY(os::host_name());
  role->backends_ = TRY(open_configured_backends(request.common, host, clock));
  if (const auto loaded = role->load({}); !loaded) {
    const bool away =
        loaded.error().code == Code::unavailable || loaded.error().code == Code::deadline_exceeded;
    // A server may still come; a file that is not there now never will.
    if (!away || !request.store.is_shared) return loaded.error();
    log(LogLevel::warning, fmt::format("waiting for the store: {}", loaded.error().message));
  }
  TRY(role->serve(request));
  VolmasterRole* self = role.get();
  role->recovery_ = std::make_unique<Periodic>("recovery", kRecoveryInterval,
                                               [self](const std::stop_token& stop) { self->recover(stop); });
  role->each_second_ = std::make_unique<Periodic>(
      "each-second", kSecond, [self](const std::stop_token& stop) { self->each_second(stop); });
  return role;
}

Result<> VolmasterRole::load(const std::stop_token& stop) {
  const Op op(clock_, kStartTimeout, make_request_id(), "start", stop);
  auto catalog = catalog::Catalog::open(op, *store_);
  if (!catalog) {
    const std::lock_guard lock(waiting_mutex_);
    waiting_for_ = make_error(Code::unavailable,
                              fmt::format("volmaster waits for its store: {}", catalog.error().message));
    return catalog.error();
  }
  catalog_ = std::move(*catalog);
  for (const auto& problem : catalog_->problems()) log(LogLevel::error, problem);
  executor_ = std::make_unique<executor::Executor>(backends_, filesystems_, mount_root_);
  control_ = std::make_unique<control::ControlPlane>(
      control::Parts{*catalog_, backends_, *executor_, tasks_, clock_}, settings_);
  events_ = std::make_unique<control::EventFeed>(
      *catalog_, [this](const model::NodeName& node) { return control_->connected(node); });
  api_ = std::make_unique<rest::Api>(*control_, *events_, clock_, kVersion);
  serving_ = api_.get();
  return {};
}

void VolmasterRole::each_second(const std::stop_token& stop) {
  if (rest::Api* api = serving_.load()) {
    tasks_.expire();
    api->tick();
    control_->prolong_presence(Op(clock_, 2 * kSecond, make_request_id(), "presence", stop));
  } else if (load(stop)) {
    log(LogLevel::info, "the store answers");
  }
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
