// SPDX-License-Identifier: Apache-2.0
#include "daemon/agent_role.h"

#include "daemon/version.h"
#include "os/file.h"
#include "os/host.h"
#include "os/mount.h"
#include "os/uuid.h"

namespace volplugin::daemon {
namespace {

constexpr Millis kRecoveryInterval{5'000};
constexpr Millis kRecoveryTimeout{60'000};
constexpr mode_t kPluginSocketMode = 0600;
// Calls blocked by slow storage must leave room for the others: dockerd has a connection per call.
constexpr unsigned kDockerCalls = 64;
constexpr size_t kLoggedBody = 200;
constexpr mode_t kStateMode = 0700, kHostIdMode = 0600;

// What tells this host from another with the same label: made once, kept with the state.
Result<std::string> host_id(const std::string& state_dir) {
  const std::string path = state_dir + "/host-id";
  const auto kept = os::read_file(path);
  if (kept && !kept->empty()) return *kept;
  if (!kept && kept.error().code != Code::not_found) return kept.error();
  TRY(os::ensure_directory(state_dir, kStateMode));
  const std::string made = os::new_uuid();
  TRY(os::write_file_atomically(path, made, kHostIdMode, os::Durability::synced));
  return made;
}

}  // namespace

Result<std::unique_ptr<AgentRole>> AgentRole::open(const Request& request, service::Volmaster& volmaster,
                                                   executor::Executor& executor,
                                                   executor::Filesystems& filesystems, const Clock& clock) {
  std::unique_ptr<AgentRole> role(new AgentRole());
  const auto warn = [](const std::string& message) { log(LogLevel::warning, message); };
  node::AgentSettings settings{request.node, request.state_dir, TRY(os::boot_id()), kVersion,
                               request.backends};
  settings.host = {TRY(host_id(request.state_dir)), request.session_ttl};
  settings.mount_wait = request.mount_wait;
  role->agent_ = TRY(node::Agent::open({volmaster, executor, filesystems, clock, warn}, settings));
  role->plugin_ = std::make_unique<dockerplugin::Plugin>(*role->agent_, clock,
                                                         dockerplugin::PluginSettings{request.scope}, warn);
  http::Limits limits;
  limits.allow_empty_host = true;
  limits.handler_threads = kDockerCalls;
  AgentRole* self = role.get();
  role->server_ = std::make_unique<http::Server>(limits, [self](const http::Request& received,
                                                                const http::Reply& reply) {
    log(LogLevel::debug, fmt::format("docker {} {}", received.path, received.body.substr(0, kLoggedBody)));
    self->plugin_->handle(received, reply);
  });
  if (request.listening_fd)
    TRY(role->server_->adopt(*request.listening_fd));
  else
    TRY(role->server_->listen("unix://" + request.plugin_socket, {kPluginSocketMode}));
  if (!request.task_sources.empty())
    role->tasks_ = std::make_unique<node::TaskLoop>(*role->agent_, request.task_sources, clock);
  // The first pass runs while Docker is served already; calls for one volume wait for their turn.
  role->recovery_ = std::make_unique<Periodic>(
      "agent-recovery", kRecoveryInterval, [self, &clock](const std::stop_token& stop) {
        self->agent_->recover_step(Op(clock, kRecoveryTimeout, make_request_id(), "recovery", stop));
      });
  role->session_ = std::make_unique<Periodic>(
      "session", role->agent_->session_interval(), [self, &clock](const std::stop_token& stop) {
        const Millis longest = self->agent_->session_interval();
        self->agent_->keep_session(Op(clock, longest, make_request_id(), "session", stop));
      });
  TRY(role->server_->start());
  return role;
}

AgentRole::~AgentRole() {
  if (server_) server_->stop();
}

}  // namespace volplugin::daemon
