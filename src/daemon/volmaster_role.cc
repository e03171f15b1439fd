// SPDX-License-Identifier: Apache-2.0
#include "daemon/volmaster_role.h"

#include "daemon/version.h"
#include "kv/sqlite/sqlite_store.h"

#include <algorithm>

namespace volplugin::daemon {
namespace {

constexpr Millis kStartTimeout{30'000};
constexpr Millis kRecoveryInterval{5'000};
constexpr Millis kRecoveryTimeout{120'000};
constexpr Millis kTaskExpiryInterval{1'000};
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

Result<executor::Backends> open_configured_backends(const CommonSettings& common, const Clock& clock) {
  const auto defaults = server_defaults(common);
  backend::BackendSettings settings{common.data_dir, common.backend_options};
  settings.options[defaults.backend];  // every backend that is mentioned is opened
  for (const auto& [name, pool] : defaults.pools) settings.options[name];
  auto backends = TRY(backend::open_backends(settings, clock));
  for (const auto& [name, pool] : defaults.pools)
    TRY_CTX(backends.at(name)->validate_pool(pool), "--default-pool {}", name);
  return backends;
}

Result<std::unique_ptr<VolmasterRole>> VolmasterRole::open(const Request& request, const Clock& clock) {
  std::unique_ptr<VolmasterRole> role(new VolmasterRole(clock));
  TRY(role->open_store(request.store));
  TRY(role->open_control(request));
  TRY(role->serve(request));
  VolmasterRole* self = role.get();
  role->recovery_ = std::make_unique<Periodic>("recovery", kRecoveryInterval,
                                               [self](const std::stop_token& stop) { self->recover(stop); });
  role->task_expiry_ = std::make_unique<Periodic>("task-expiry", kTaskExpiryInterval,
                                                  [self](const std::stop_token&) { self->tasks_.expire(); });
  return role;
}

Result<> VolmasterRole::open_store(const std::string& spec) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (!spec.starts_with(kSqlite) || spec.size() == kSqlite.size())
    return make_error(Code::invalid_argument,
                      fmt::format("--store: '{}' is not of the form sqlite:PATH", spec));
  store_ = TRY_CTX(kv::SqliteStore::open(spec.substr(kSqlite.size()), clock_), "opening the store");
  return {};
}

Result<> VolmasterRole::open_control(const Request& request) {
  const Op op(clock_, kStartTimeout, make_request_id(), "start");
  backends_ = TRY(open_configured_backends(request.common, clock_));
  catalog_ = TRY(catalog::Catalog::open(op, *store_));
  for (const auto& problem : catalog_->problems()) log(LogLevel::error, problem);
  executor_ = std::make_unique<executor::Executor>(backends_, filesystems_, request.mount_root);
  control_ = std::make_unique<control::ControlPlane>(
      control::Parts{*catalog_, backends_, *executor_, tasks_, clock_},
      control::Settings{server_defaults(request.common), request.local_node, kVersion});
  return {};
}

Result<> VolmasterRole::serve(const Request& request) {
  api_ = std::make_unique<rest::Api>(*control_, clock_, kVersion);
  server_ = std::make_unique<http::Server>(http::Limits{}, [this](http::Request received, http::Reply reply) {
    log(LogLevel::debug, fmt::format("api {} {}?{} from {}", received.method, received.path, received.query,
                                     received.peer.address));
    api_->handle(std::move(received), std::move(reply));
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
  const Op op(clock_, kRecoveryTimeout, make_request_id(), "recovery", stop);
  const auto left = control_->recover_step(op);
  for (const auto& line : left)
    if (told_.insert(line).second) log(LogLevel::warning, line);
  std::erase_if(told_,
                [&](const auto& line) { return std::find(left.begin(), left.end(), line) == left.end(); });
}

VolmasterRole::~VolmasterRole() {
  task_expiry_.reset();
  recovery_.reset();
  tasks_.close();
  if (server_) server_->stop();
}

}  // namespace volplugin::daemon
