// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_code.h"

#include <fmt/format.h>

namespace volplugin::cli {
namespace {

constexpr ExitCodeHelp kExitCodes[] = {
    {kDone, "done", "done"},
    {kFailed, "failed", "failed for another reason than the ones below"},
    {kUsage, "usage", "wrong usage, or a name, option or policy that breaks a rule"},
    {kNotFound, "not found", "what was named does not exist"},
    {kInTheWay, "in the way",
     "something is in the way: it exists and differs, is in use, or was changed meanwhile"},
    {kNoAnswer, "no answer", "volmaster or its store does not answer, or not in time"},
};

// The list in which the thing that was not found should have been.
std::string where_to_look(const Command& command) {
  switch (command.argument) {
    case Argument::none:
      return "";
    case Argument::tenant:
      return "'volcli tenant list' shows the tenants that have a policy.";
    case Argument::volume:
      // A volume that is to be made is not looked up, but its tenant is.
      if (command.name == "create" || command.name == "adopt")
        return "'volcli tenant list' shows the tenants that have a policy.";
      return "'volcli volume list-all' shows the volumes.";
    case Argument::snapshot:
      return "'volcli snapshot list-all' shows the snapshots.";
    case Argument::mount:
      return "'volcli mount list' shows what is mounted.";
    case Argument::node:
      return "'volcli node list' shows the nodes.";
    case Argument::operation:
      return "'volcli operation list' shows what is under way or failed.";
  }
  return "";
}

}  // namespace

std::span<const ExitCodeHelp> exit_codes() {
  return kExitCodes;
}

ExitCode exit_code(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return kUsage;
    case Code::not_found:
      return kNotFound;
    case Code::already_exists:
    case Code::conflict:
    case Code::busy:
      return kInTheWay;
    case Code::unavailable:
    case Code::deadline_exceeded:
      return kNoAnswer;
    case Code::unsupported:
    case Code::permission_denied:
    case Code::resource_exhausted:
    case Code::cancelled:
    case Code::corrupt:
    case Code::internal:
      return kFailed;
  }
  return kFailed;
}

std::string advice(const Error& error, const Line& line) {
  std::string text;
  // The message names the address, or what else is missing; this separates the two cases.
  if (error.code == Code::unavailable && line.command != find_command("", "health"))
    text = line.has("etcd") ? "'etcdctl endpoint health' tells whether etcd works."
                            : "'volcli health' tells whether volmaster and its store work.";
  if (error.code == Code::deadline_exceeded)
    text = fmt::format("The limit was {} s; --timeout sets a longer one.",
                       line.timeout().value_or(std::chrono::seconds(0)).count());
  if (error.code == Code::not_found && line.command != nullptr) text = where_to_look(*line.command);
  if (error.effect == Effect::unknown) {
    if (!text.empty()) text += '\n';
    text += "It may have happened all the same: look at the present state before trying again.";
  }
  return text;
}

}  // namespace volplugin::cli
