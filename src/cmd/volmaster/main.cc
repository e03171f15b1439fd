// SPDX-License-Identifier: Apache-2.0
// volmaster: the control plane as a process of its own.
#include "daemon/process.h"
#include "daemon/volmaster_role.h"
#include "os/systemd.h"

using namespace volplugin;

namespace {

Result<std::unique_ptr<daemon::VolmasterRole>> start(const daemon::VolmasterSettings& settings) {
  daemon::VolmasterRole::Request request{settings.common};
  if (!settings.etcd.endpoints.empty())
    request.store = daemon::etcd_source(settings.etcd, settings.etcd_password_file);
  else
    request.store = daemon::sqlite_source(
        settings.store.empty() ? "sqlite:" + settings.common.data_dir + "/volplugin.db" : settings.store);
  for (auto& socket : TRY(os::take_passed_sockets()))
    if (socket.name == "api") request.listening_fd = socket.fd.release();
  request.listen = settings.listen;
  if (request.listen.empty() && !request.listening_fd) request.listen = {"0.0.0.0:9005"};
  request.mount_root = settings.common.data_dir + "/mounts";
  return daemon::VolmasterRole::open(request, system_clock());
}

}  // namespace

int main(int argc, char** argv) {
  daemon::VolmasterSettings settings;
  const auto parsed = daemon::parse_volmaster({argv, static_cast<size_t>(argc)}, settings);
  if (parsed.start == daemon::Start::done) return parsed.exit_code;
  daemon::prepare_process(settings.common);
  const auto role = start(settings);
  if (!role) return daemon::failed_to_start(role.error());
  os::notify_ready("serving");
  daemon::wait_for_end();
  return 0;
}
