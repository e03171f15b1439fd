// SPDX-License-Identifier: Apache-2.0
// What commands work on.
#include "cli/commands.h"

namespace volplugin::cli {

std::string_view argument_name(Argument argument) {
  switch (argument) {
    case Argument::none:
      return "";
    case Argument::tenant:
      return "TENANT";
    case Argument::volume:
    case Argument::mount:
      return "TENANT/VOLUME";
    case Argument::snapshot:
      return "TENANT/VOLUME/SNAPSHOT";
    case Argument::node:
      return "NODE";
    case Argument::operation:
      return "ID";
  }
  return "";
}

std::string_view argument_help(Argument argument) {
  switch (argument) {
    case Argument::none:
      return "";
    case Argument::tenant:
      return "name of the tenant";
    case Argument::volume:
    case Argument::mount:
      return "name of the volume; two words, TENANT VOLUME, mean the same";
    case Argument::snapshot:
      return "name of the snapshot, as 'volcli snapshot list' shows it";
    case Argument::node:
      return "name of the node, usually its host name";
    case Argument::operation:
      return "id of the operation, as 'volcli operation list' shows it";
  }
  return "";
}

}  // namespace volplugin::cli
