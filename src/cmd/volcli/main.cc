// SPDX-License-Identifier: Apache-2.0
// volcli: the command line of the control plane. Everything it does is in src/cli; here are the process
// and the ways to the records.
#include "cli/run.h"
#include "client/rest_events.h"
#include "client/rest_volmaster.h"
#include "daemon/break_glass.h"

#include <exception>
#include <iostream>

#include <unistd.h>

namespace {

using namespace volplugin;

Result<std::shared_ptr<service::Volmaster>> connect(const cli::Target& target, const Op& op) {
  if (!target.etcd.endpoints.empty())
    return daemon::open_break_glass(op, daemon::etcd_source(target.etcd, target.etcd_password_file),
                                    system_clock());
  return std::shared_ptr<service::Volmaster>(TRY(client::RestVolmaster::open(target.masters, "volcli")));
}

Result<> follow(const cli::Target& target, const Op& op, const cli::FollowEvents& request) {
  return TRY(client::RestEvents::open(target.masters, "volcli"))->follow(op, request.after, request.take);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  cli::Streams streams{.in = std::cin,
                       .out = std::cout,
                       .err = std::cerr,
                       .in_is_terminal = ::isatty(STDIN_FILENO) == 1,
                       .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
                       .err_is_terminal = ::isatty(STDERR_FILENO) == 1};
  std::ios::sync_with_stdio(false);
  try {
    return cli::run(args, streams, {connect, follow});
  } catch (const std::exception& error) {
    std::cerr << "Error: volcli failed: " << error.what() << '\n';
    return 1;
  }
}
