// SPDX-License-Identifier: Apache-2.0
// The table of volcli's commands: the parser, the help, the completion and docs/volcli.md are all made
// from it. A new command is one file in commands/, one line in commands/handlers.h and one row here.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace volplugin::cli {

class Context;

// What a command works on; every command takes one such argument or none.
enum class Argument {
  none,
  tenant,     // TENANT
  volume,     // TENANT/VOLUME or TENANT VOLUME
  mount,      // the same words, but they complete to volumes that are mounted
  snapshot,   // TENANT/VOLUME/SNAPSHOT
  node,       // NODE
  operation,  // ID
};

// What has to be there for a command to work.
enum class Needs {
  nothing,
  records,    // volmaster, or with --etcd the store alone
  volmaster,  // storage work is done, or it is about volmaster itself
};

struct Flag {
  std::string_view name;   // long form without the dashes
  std::string_view value;  // what stands for the value in the help; empty: a switch
  std::string_view help;
  char letter = '\0';           // short form
  std::string_view alias = {};  // another long form
  bool repeatable = false;
};

struct Command {
  std::string_view group;  // "volume"; empty for commands of one word
  std::string_view name;
  std::string_view summary;  // one line
  std::string_view details;  // more lines for the command's own help, may be empty
  std::string_view example;
  Argument argument = Argument::none;
  std::span<const Flag> flags = {};
  Result<> (*handler)(Context&) = nullptr;
  Needs needs = Needs::records;

  std::string path() const;   // "volume create"
  std::string usage() const;  // "volcli volume create TENANT/VOLUME [--opt KEY=VALUE]..."
};

struct Group {
  std::string_view name;
  std::string_view summary;
};

std::span<const Command> commands();
std::span<const Group> groups();
std::span<const Flag> global_flags();

// nullptr when there is none.
const Command* find_command(std::string_view group, std::string_view name);
const Group* find_group(std::string_view name);

// "TENANT/VOLUME" as the usage shows it, and what the help says about it. Empty for none.
std::string_view argument_name(Argument argument);
std::string_view argument_help(Argument argument);

}  // namespace volplugin::cli
