// SPDX-License-Identifier: Apache-2.0
// What the daemons can be told, by flags or by a configuration file with the same keys.
#pragma once

#include "base/result.h"
#include "daemon/log.h"
#include "kv/etcd/etcd_store.h"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace volplugin::daemon {

struct CommonSettings {
  std::string data_dir = "/var/lib/volplugin";
  std::string backend;                                                        // default backend
  std::map<std::string, std::string> default_pools;                           // per backend
  std::map<std::string, std::map<std::string, std::string>> backend_options;  // backend -> key -> value
  LogFormat log_format = LogFormat::text;
  bool debug = false;
};

struct VolmasterSettings {
  CommonSettings common;
  std::vector<std::string> listen;  // empty: the default
  std::string store;                // "sqlite:PATH"; empty: in the data directory
  kv::EtcdSettings etcd;            // its endpoints empty: not with etcd
  std::string etcd_password_file;
};

struct VolpluginSettings {
  CommonSettings common;
  bool standalone = false;
  std::vector<std::string> masters = {"127.0.0.1:9005"};
  std::string plugin_socket = "/run/docker/plugins/volplugin.sock";
  std::string api_socket = "/run/volplugin/api.sock";
  std::string mount_root;  // empty: mounts/ in the data directory
  std::string host_label;  // empty: the host's name
  Millis session_ttl{30'000};
  Millis mount_wait{0};
};

// What to do after reading the command line.
enum class Start {
  run,   // with the settings
  done,  // --help or --version was answered, or the line is wrong: exit with `exit_code`
};

struct Parsed {
  Start start = Start::run;
  int exit_code = 0;  // 2 for a wrong command line or configuration file
};

Parsed parse_volmaster(std::span<const char* const> args, VolmasterSettings& settings);
Parsed parse_volplugin(std::span<const char* const> args, VolpluginSettings& settings);

}  // namespace volplugin::daemon
