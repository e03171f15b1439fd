// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/ceph_cluster.h"

#include "os/uuid.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace volplugin::backend {
namespace {

constexpr Millis kPatience{60'000};  // `ceph` takes seconds to start in an emulated machine

constexpr char kServing[] = "VOLPLUGIN_TEST_CEPH";

// {0}: directory, {1}: fsid, {2}: address of the monitor, {3}: size of the OSD, {4}: more lines.
constexpr char kConfiguration[] = R"([global]
fsid = {1}
mon host = {2}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon allow pool delete = true
mon max pg per osd = 100000
auth allow insecure global id reclaim = false
# Every change of a snapshot waits for these: by default a second.
paxos propose interval = 0.01
paxos min wait = 0.01
{4}
[client]
keyring = {0}/keyrings/$name.keyring
[mon]
mon data = {0}/mon
mon cluster log to file = false
mon data avail crit = 1
mon tick interval = 1
[mgr]
mgr data = {0}/mgr
# Its modules are not needed to know the space: without them it takes 36 MB instead of 300, and 0.2 s.
mgr module path = {0}/mgr
mgr tick period = 1
mgr stats period = 1
[osd]
osd data = {0}/osd
osd objectstore = memstore
osd heartbeat interval = 1
public addr = 127.0.0.1
cluster addr = 127.0.0.1
memstore device bytes = {3}
)";

// Of each kind of daemon.
constexpr char kDaemon[] = R"([{1}]
keyring = {0}/keyrings/$name.keyring
run dir = {0}/run
admin socket = {0}/run/$name.asok
crash dir = {0}/crash
log file =
log to stderr = true
)";

struct Key {
  std::string owner;
  std::vector<std::string> caps;
};

std::vector<Key> first_keys() {
  return {{"mon.", {"mon", "allow *"}},
          {"client.admin", {"mon", "allow *", "osd", "allow *", "mgr", "allow *"}},
          {"osd.0", {"mon", "allow profile osd", "osd", "allow *", "mgr", "allow profile osd"}},
          {"mgr.x", {"mon", "allow profile mgr", "osd", "allow *"}}};
}

Result<os::Outcome> try_run(std::vector<std::string> argv, Millis timeout) {
  const Op op(system_clock(), timeout, "test", "test");
  return os::run(op, {.argv = std::move(argv), .package = "ceph-mon ceph-osd ceph-mgr ceph-common"});
}

std::string run(const std::vector<std::string>& argv) {
  const auto said = try_run(argv, kPatience);
  if (!said) throw std::runtime_error(argv[0] + ": " + said.error().message);
  if (!said->succeeded())
    throw std::runtime_error(fmt::format("{}: {}", fmt::join(argv, " "), said->describe()));
  return said->out;
}

std::vector<std::string> client(const std::string& program, const std::string& conf,
                                std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {program, "-c", conf});
  return arguments;
}

void write(const std::string& path, const std::string& text) {
  if (const auto written = os::write_file_atomically(path, text, 0600, os::Durability::none); !written)
    throw std::runtime_error(written.error().message);
}

template <class Condition>
void wait_for(const std::string& what, Condition condition) {
  if (!os::wait_until(condition, kPatience)) throw std::runtime_error("waited in vain for " + what);
}

}  // namespace

CephCluster::CephCluster(std::string conf) : conf_(std::move(conf)) {
  std::filesystem::create_directory(directory_ / "keyrings");
}

CephCluster::CephCluster(const CephClusterSettings& settings) : conf_(directory_ / "ceph.conf") {
  for (const char* part : {"keyrings", "mon", "osd", "mgr", "run", "crash"})
    std::filesystem::create_directory(directory_ / part);
  const std::string fsid = os::new_uuid(), osd = os::new_uuid(), monmap = directory_ / "monmap";
  const std::string monitor = fmt::format("[v2:127.0.0.1:{},v1:127.0.0.1:{}]", free_port(), free_port());
  std::string text = fmt::format(kConfiguration, directory_.path(), fsid, monitor, settings.size.count,
                                 fmt::join(settings.extra, "\n"));
  for (const char* kind : {"mon", "osd", "mgr"}) text += fmt::format(kDaemon, directory_.path(), kind);
  write(conf(), text);
  make_keyrings();
  run({"monmaptool", "--create", "--fsid", fsid, "--addv", "a", monitor, monmap});
  run({"ceph-mon", "-i", "a", "-c", conf(), "--mkfs", "--monmap", monmap, "--keyring", directory_ / "keys"});
  run({"ceph-osd", "-i", "0", "-c", conf(), "--mkfs", "--osd-uuid", osd, "--no-mon-config"});
  start_monitor();
  ceph({"osd", "new", osd, "0"});
  start(osd_, "ceph-osd", "0");
  wait_for("the OSD", [&] { return ceph({"osd", "stat"}).contains("1 up"); });
  if (!settings.manager) return;
  start(manager_, "ceph-mgr", "x");
  wait_for("the manager to know the space",
           [&] { return !ceph({"df", "--format", "json"}).contains("\"total_bytes\":0,"); });
}

// Keys of the daemons and of client.admin, known to the monitor from its birth. Their file is not where the
// monitor stores: it would take that for its own, and not begin.
void CephCluster::make_keyrings() const {
  std::string all;
  for (const Key& key : first_keys()) {
    std::vector<std::string> argv{"ceph-authtool", "-C", keyring(key.owner), "-g", "-n", key.owner};
    for (size_t i = 0; i < key.caps.size(); i += 2)
      argv.insert(argv.end(), {"--cap", key.caps[i], key.caps[i + 1]});
    run(argv);
    all += *os::read_file(keyring(key.owner));
  }
  write(directory_ / "keys", all);
}

void CephCluster::start(ChildProcess& daemon, const std::string& program, const std::string& name) const {
  daemon.start({program, "-i", name, "-c", conf(), "-f"}, directory_ / (program + ".log"));
}

void CephCluster::start_monitor() {
  start(monitor_, "ceph-mon", "a");
  ceph({"mon", "stat"});
}

std::string CephCluster::make_pool(const std::string& name) {
  ceph({"osd", "pool", "create", name, "4", "4"});
  rbd({"pool", "init", name});
  return name;
}

void CephCluster::remove_pool(const std::string& name) {
  ceph({"osd", "pool", "rm", name, name, "--yes-i-really-really-mean-it"});
}

std::string CephCluster::add_user(const std::string& name, const std::string& pool) {
  const std::string user = "client." + name;
  write(keyring(user),
        ceph({"auth", "get-or-create", user, "mon", "profile rbd", "osd", "profile rbd pool=" + pool}));
  return keyring(user);
}

std::vector<std::string> CephCluster::blocklist() {
  // A line each, the address and until when; and how many there are.
  std::istringstream lines(ceph({"osd", "blocklist", "ls"}));
  std::vector<std::string> addresses;
  for (std::string line; std::getline(lines, line);)
    if (const std::string word = line.substr(0, line.find(' ')); word.contains('/'))
      addresses.push_back(word);
  return addresses;
}

std::string CephCluster::rbd(std::vector<std::string> arguments) {
  return run(client("rbd", conf(), std::move(arguments)));
}

std::string CephCluster::ceph(std::vector<std::string> arguments) {
  return run(client("ceph", conf(), std::move(arguments)));
}

std::string CephCluster::rados(std::vector<std::string> arguments) {
  return run(client("rados", conf(), std::move(arguments)));
}

Result<os::Outcome> CephCluster::try_rbd(std::vector<std::string> arguments, Millis timeout) {
  return try_run(client("rbd", conf(), std::move(arguments)), timeout);
}

CephCluster& shared_ceph() {
  if (const char* serving = std::getenv(kServing)) {
    static CephCluster there((std::string(serving)));
    return there;
  }
  static CephCluster cluster(CephClusterSettings{.manager = true});
  return cluster;
}

}  // namespace volplugin::backend
