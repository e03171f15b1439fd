// SPDX-License-Identifier: Apache-2.0
// The command line of lvmvd. Pure.
//
// Its rules are those of Go's flag package, which users of the original know: `-x v`, `-x=v`, `--x v` and
// `--x=v` are the same; a boolean flag takes a value only with '='; of a flag given twice the last counts;
// `--` or the first word that is no flag ends the flags, and what follows is ignored.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <span>
#include <string>

namespace volplugin::lvmvd {

struct Settings {
  std::string listener = "unix";  // or "http"; checked at the start, like the port
  std::string host = "localhost";
  std::string port = "8080";
  Bytes default_size = Bytes::mib(512);
  std::string mount_root;
  std::string volume_group;
  std::string sock_file = "/run/docker/plugins/lvm-volume-driver.sock";
  std::string json_file = "/etc/docker/plugins/lvm-volume-driver.json";
  std::string state_dir = "/var/lib/lvmvd";
  bool debug = false;
  bool version = false;
};

// The program ends with this instead of starting.
struct Ending {
  int exit_code = 0;  // 0: help or version was asked for; 2: the line is wrong
  std::string out;    // for stdout
  std::string err;    // for stderr
};

struct CommandLine {
  Settings settings;
  std::optional<Ending> ending;
};

// `args` without the name of the program.
CommandLine parse_flags(std::span<const char* const> args);

std::string usage();  // ends with a line break

}  // namespace volplugin::lvmvd
