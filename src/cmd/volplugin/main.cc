// SPDX-License-Identifier: Apache-2.0
// volplugin: the agent of a host, with --standalone also the control plane.
#include "client/rest_volmaster.h"
#include "daemon/agent_role.h"
#include "daemon/process.h"
#include "daemon/volmaster_role.h"
#include "os/host.h"
#include "os/systemd.h"

using namespace volplugin;

namespace {

struct Roles {
  // Without --standalone:
  executor::HostFilesystems filesystems;
  executor::Backends backends;
  std::unique_ptr<executor::Executor> executor;
  std::unique_ptr<client::RestVolmaster> remote;                // any of the volmasters
  std::vector<std::unique_ptr<client::RestVolmaster>> sources;  // each of them
  // With --standalone:
  std::unique_ptr<daemon::VolmasterRole> volmaster;

  std::vector<os::PassedSocket> sockets;
  std::unique_ptr<daemon::AgentRole> agent;  // last: ends first
};

std::optional<int> socket_named(Roles& roles, std::string_view name) {
  for (auto& socket : roles.sockets)
    if (socket.name == name && socket.fd) return socket.fd.release();
  return std::nullopt;
}

Result<> start_standalone(Roles& roles, const daemon::VolpluginSettings& settings,
                          const model::NodeName& node, const std::string& mount_root) {
  daemon::VolmasterRole::Request request{
      settings.common, daemon::sqlite_source("sqlite:" + settings.common.data_dir + "/volplugin.db")};
  request.listening_fd = socket_named(roles, "api");
  if (!request.listening_fd) request.listen = {"unix://" + settings.api_socket};
  request.local_node = node;
  request.mount_root = mount_root;
  roles.volmaster = TRY(daemon::VolmasterRole::open(request, system_clock()));
  return {};
}

Result<> start_remote(Roles& roles, const daemon::VolpluginSettings& settings, const model::NodeName& node,
                      const std::string& mount_root) {
  roles.backends = TRY(daemon::open_configured_backends(settings.common, node.str(), system_clock()));
  roles.executor = std::make_unique<executor::Executor>(roles.backends, roles.filesystems, mount_root);
  const std::string actor = "volplugin-" + node.str().substr(0, 50);
  roles.remote = TRY_CTX(client::RestVolmaster::open(settings.masters, actor), "--master");
  for (const auto& master : settings.masters)
    roles.sources.push_back(TRY(client::RestVolmaster::open({master}, actor)));
  return {};
}

Result<> start(Roles& roles, const daemon::VolpluginSettings& settings) {
  const std::string label = settings.host_label.empty() ? TRY(os::host_name()) : settings.host_label;
  const auto node = TRY_CTX(model::NodeTag::parse(label), "--host-label");
  const std::string mount_root =
      settings.mount_root.empty() ? settings.common.data_dir + "/mounts" : settings.mount_root;
  roles.sockets = TRY(os::take_passed_sockets());
  if (settings.standalone)
    TRY(start_standalone(roles, settings, node, mount_root));
  else
    TRY(start_remote(roles, settings, node, mount_root));

  daemon::AgentRole::Request request{node};
  request.state_dir = settings.common.data_dir + "/agent";
  request.plugin_socket = settings.plugin_socket;
  request.listening_fd = socket_named(roles, "plugin");
  request.scope = settings.standalone ? "local" : "global";
  for (const auto& source : roles.sources) request.task_sources.push_back(source.get());
  request.session_ttl = settings.session_ttl;
  request.mount_wait = settings.mount_wait;
  const auto& backends = settings.standalone ? roles.volmaster->backends() : roles.backends;
  for (const auto& [name, backend] : backends) request.backends.push_back(name);
  service::Volmaster& volmaster = settings.standalone
                                      ? static_cast<service::Volmaster&>(roles.volmaster->control())
                                      : static_cast<service::Volmaster&>(*roles.remote);
  roles.agent = TRY(daemon::AgentRole::open(
      request, volmaster, settings.standalone ? roles.volmaster->executor() : *roles.executor,
      settings.standalone ? roles.volmaster->filesystems() : roles.filesystems, system_clock()));
  const std::string status = fmt::format(
      "node {}: serving Docker on {}{}", node.str(),
      request.listening_fd ? "the socket of the service manager" : settings.plugin_socket,
      settings.standalone ? "" : fmt::format(", volmaster {}", fmt::join(settings.masters, ", ")));
  daemon::log(daemon::LogLevel::info, status);
  os::notify_ready(status);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  daemon::VolpluginSettings settings;
  const auto parsed = daemon::parse_volplugin({argv, static_cast<size_t>(argc)}, settings);
  if (parsed.start == daemon::Start::done) return parsed.exit_code;
  daemon::prepare_process(settings.common);
  Roles roles;
  if (const auto started = start(roles, settings); !started) return daemon::failed_to_start(started.error());
  daemon::wait_for_end();
  return 0;
}
