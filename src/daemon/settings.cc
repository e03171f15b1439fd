// SPDX-License-Identifier: Apache-2.0
#include "daemon/settings.h"

#include "base/faults.h"
#include "daemon/version.h"
#include "model/duration.h"
#include "model/options.h"
#include "service/volume_records.h"

#include <iostream>

#include <CLI/CLI.hpp>

namespace volplugin::daemon {
namespace {

// "NAME=VALUE" into a map; CLI11 calls it for flags and for the configuration file alike.
std::string split_into(std::map<std::string, std::string>& map, const std::string& text) {
  const auto cut = text.find('=');
  if (cut == 0 || cut == text.npos || cut + 1 == text.size())
    return "'" + text + "' is not of the form NAME=VALUE";
  map[text.substr(0, cut)] = text.substr(cut + 1);
  return {};
}

std::string add_backend_option(CommonSettings& settings, const std::string& text) {
  const auto dot = text.find('.');
  if (dot == 0 || dot == text.npos) return "'" + text + "' is not of the form BACKEND.KEY=VALUE";
  return split_into(settings.backend_options[text.substr(0, dot)], text.substr(dot + 1));
}

void add_repeatable(CLI::App& app, const std::string& name, const std::string& help,
                    const std::function<std::string(const std::string&)>& take) {
  app.add_option_function<std::vector<std::string>>(
         name,
         [name, take](const std::vector<std::string>& values) {
           for (const auto& value : values)
             if (const std::string wrong = take(value); !wrong.empty())
               throw CLI::ValidationError(name, wrong);
         },
         help)
      ->take_all()
      ->expected(1, 1000);
}

// Each daemon has a file of its own, as it refuses keys that are not its flags.
void add_common(CLI::App& app, CommonSettings& settings, const std::string& program) {
  app.set_version_flag("--version", std::string("volplugin ") + kVersion);
  app.set_config("--config", "/etc/volplugin/" + program + ".toml",
                 "Configuration file with the same keys as the flags, without the dashes");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--data-dir", settings.data_dir, "Where records, image files and mounts are kept")
      ->capture_default_str();
  app.add_option("--backend", settings.backend, "Backend of volumes whose policy names none (default: loop)");
  add_repeatable(app, "--default-pool",
                 "BACKEND=POOL: pool of volumes whose policy names none (default: loop=default)",
                 [&settings](const std::string& text) { return split_into(settings.default_pools, text); });
  add_repeatable(app, "--backend-option", "BACKEND.KEY=VALUE: see docs/backends",
                 [&settings](const std::string& text) { return add_backend_option(settings, text); });
  const auto add_ceph = [&](const std::string& flag, const std::string& key, const std::string& help) {
    app.add_option_function<std::string>(
        flag, [&settings, key](const std::string& value) { settings.backend_options["ceph"][key] = value; },
        help);
  };
  add_ceph("--ceph-conf", "conf", "Configuration file of the Ceph cluster (default: /etc/ceph/ceph.conf)");
  add_ceph("--ceph-id", "id", "Ceph user, without \"client.\" (default: admin)");
  app.add_option_function<std::string>(
         "--log-format",
         [&settings](const std::string& word) {
           const auto format = parse_log_format(word);
           if (!format) throw CLI::ValidationError("--log-format", format.error().message);
           settings.log_format = *format;
         },
         "text or json")
      ->default_str("text");
  app.add_flag("--debug", settings.debug, "Log every request");
  app.add_option_function<std::string>("--fault",
                                       [](const std::string& spec) {
                                         if (const auto armed = faults::arm(spec); !armed)
                                           throw CLI::ValidationError("--fault", armed.error().message);
                                       })
      ->group("");  // hidden: for the crash tests
  app.add_flag_callback("--list-faults",
                        [] {
                          for (const auto name : faults::names()) std::cout << name << "\n";
                          throw CLI::Success();
                        })
      ->group("");
}

CLI::Option* add_etcd(CLI::App& app, VolmasterSettings& settings) {
  auto& etcd = settings.etcd;
  auto* endpoints = app.add_option("--etcd", etcd.endpoints,
                                   "http://host:port or https://host:port of a member of etcd, instead of "
                                   "--store; may be given several times")
                        ->take_all();
  app.add_option("--prefix", etcd.prefix, "Where in etcd the records are")
      ->capture_default_str()
      ->needs(endpoints);
  const auto add = [&](const std::string& name, std::string& value, const std::string& help) {
    app.add_option(name, value, help)->needs(endpoints);
  };
  add("--etcd-cacert", etcd.ca_file, "File with the CA of the members' certificates (default: the system's)");
  add("--etcd-cert", etcd.cert_file, "File with the certificate to show to etcd");
  add("--etcd-key", etcd.key_file, "File with the key of --etcd-cert");
  add("--etcd-user", etcd.user, "User of etcd");
  add("--etcd-password-file", settings.etcd_password_file, "File with the password of --etcd-user");
  return endpoints;
}

struct Between {
  Millis least, most;
};

void add_duration(CLI::App& app, const std::string& name, Millis& value, Between range,
                  const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value, name, range](const std::string& text) {
           const auto parsed = model::parse_duration(text);
           if (!parsed) throw CLI::ValidationError(name, parsed.error().message);
           const auto asked = std::chrono::ceil<Millis>(*parsed);
           if (asked < range.least || asked > range.most)
             throw CLI::ValidationError(
                 name, fmt::format("'{}' is not from {} to {}", text, model::format_duration(range.least),
                                   model::format_duration(range.most)));
           value = asked;
         },
         help)
      ->default_str(model::format_duration(value));
}

Parsed parse(CLI::App& app, std::span<const char* const> args) {
  try {
    app.parse(static_cast<int>(args.size()), args.data());
    return {Start::run, 0};
  } catch (const CLI::ParseError& e) {
    return {Start::done, app.exit(e) == 0 ? 0 : 2};
  }
}

}  // namespace

Parsed parse_volmaster(std::span<const char* const> args, VolmasterSettings& settings) {
  CLI::App app{
      "volmaster: keeps policies, volumes and mounts, and coordinates the hosts.\n"
      "Example: volmaster --listen 127.0.0.1:9005 --store sqlite:/var/lib/volplugin/volplugin.db"};
  add_common(app, settings.common, "volmaster");
  app.add_option("--listen", settings.listen,
                 "host:port or unix:///path to serve on; may be given several times (default: 0.0.0.0:9005)")
      ->take_all();
  auto* store =
      app.add_option("--store", settings.store, "sqlite:PATH (default: volplugin.db in the data directory)");
  add_etcd(app, settings)->excludes(store);
  app.footer("Exit codes: 0 ended by a signal, 1 could not start or run, 2 wrong flags or configuration.");
  return parse(app, args);
}

Parsed parse_volplugin(std::span<const char* const> args, VolpluginSettings& settings) {
  CLI::App app{
      "volplugin: serves volumes to the Docker engine of this host.\n"
      "Example: volplugin --standalone        (one host, no other service)\n"
      "         volplugin --master 10.0.0.5:9005"};
  add_common(app, settings.common, "volplugin");
  app.add_flag("--standalone", settings.standalone,
               "Run volmaster in this process, over a store in the data directory");
  app.add_option("--master", settings.masters,
                 "volmaster to use: host:port or unix:///path; may be given several times, for volmasters "
                 "that share an etcd (default: 127.0.0.1:9005)")
      ->envname("MASTER")
      ->take_all()
      ->delimiter(',');
  app.add_option("--plugin-socket", settings.plugin_socket,
                 "Socket for the Docker engine; its name is the driver's")
      ->capture_default_str();
  app.add_option("--api-socket", settings.api_socket, "Socket for volcli and the REST API, with --standalone")
      ->capture_default_str();
  app.add_option("--mount-root", settings.mount_root,
                 "Where volumes are mounted (default: mounts in the data directory)");
  app.add_option("--host-label", settings.host_label, "Name of this host in records (default: its host name)")
      ->envname("HOSTLABEL");
  add_duration(app, "--session-ttl", settings.session_ttl,
               {service::OpenSession::kMinTtl, service::OpenSession::kMaxTtl},
               "How long this host may be silent before it counts as lost, as in 30s");
  add_duration(app, "--mount-wait", settings.mount_wait, {Millis(0), model::kMaxMountWait},
               "How long a mount waits for a volume that another host holds, as in 20s");
  app.footer("Exit codes: 0 ended by a signal, 1 could not start or run, 2 wrong flags or configuration.");
  return parse(app, args);
}

}  // namespace volplugin::daemon
