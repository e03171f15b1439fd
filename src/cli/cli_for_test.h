// SPDX-License-Identifier: Apache-2.0
// For the tests of this folder: a volmaster in memory, and volcli run against it.
#pragma once

#include "cli/run.h"

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace volplugin::cli {

// What a volmaster knows, and how it is to behave. `calls` is what it was asked, in words.
struct FakeCluster {
  template <class T>
  using Table = std::map<std::string, model::Record<T>>;

  std::vector<std::string> calls;
  std::optional<Error> failure;  // of every call
  size_t page_size = 2;
  bool repeats_pages = false;          // a defect: lists never move on
  bool created = true;                 // what a create says
  std::optional<Error> mount_failure;  // of get_mount
  service::Health state{true, "ok", "9.8.7"};
  Table<model::Tenant> tenants;
  Table<model::Volume> volumes;
  Table<model::Mount> mounts;
  Table<model::Node> nodes;
  Table<model::Snapshot> snapshots;
  std::vector<model::Operation> operations;

  static WallTime noon() { return parse_rfc3339("2026-11-20T12:00:00.000Z").value(); }

  void add_tenant(const std::string& name) {
    model::Tenant tenant{model::TenantTag::parse(name).value(), {}, {{"ext4", "mkfs.ext4 -m0 %"}}};
    tenant.defaults.pool = "rbd";
    tenant.defaults.size = Bytes::mib(10);
    tenants[name] = record(tenant);
  }
  model::Record<model::Volume> add_volume(const std::string& name) {
    model::Volume volume{model::parse_volume_id(name).value(), "uid-1"};
    volume.options = {.backend = "loop", .pool = "default", .size = Bytes::mib(10), .filesystem = "ext4"};
    volume.size = Bytes::mib(10);
    volume.phase = model::Phase::ready;
    volume.operation = "op-1";
    volume.created_at = volume.changed_at = noon();
    return volumes[name] = record(volume);
  }
  void add_mount(const std::string& name, const std::string& node) {
    model::Mount mount{model::parse_volume_id(name).value(), "uid-1", model::NodeTag::parse(node).value()};
    mount.claim = "claim-1";
    mount.mount_point = "/mnt/x";
    mount.uses.push_back({model::MountIdTag::parse("id1").value(), noon()});
    mount.since = noon();
    mounts[name] = record(mount);
  }
  model::Record<model::Snapshot> add_snapshot(const std::string& name) {
    model::Snapshot snapshot{model::parse_snapshot_id(name).value(), "uid-2", "uid-1", Bytes::mib(10)};
    snapshot.phase = model::SnapshotPhase::ready;
    snapshot.operation = "op-2";
    snapshot.taken_at = snapshot.changed_at = noon();
    return snapshots[name] = record(snapshot);
  }
  void add_node(const std::string& name) {
    model::Node node{model::NodeTag::parse(name).value(), "9.8.7", {"loop", "lvm"}, "boot-1"};
    node.started_at = noon();
    node.connected = true;
    nodes[name] = record(node);
  }
  template <class T>
  static model::Record<T> record(const T& value) {
    return std::make_shared<const model::Versioned<T>>(model::Versioned<T>{value, 7});
  }
};

class FakeVolmaster final : public service::Volmaster {
 public:
  explicit FakeVolmaster(FakeCluster& fake) : fake_(fake) {}

  Result<model::Record<model::Tenant>> put_tenant(const Op&, const model::Tenant& tenant,
                                                  std::optional<std::uint64_t>) override {
    TRY(call("put_tenant " + tenant.name.str()));
    return fake_.tenants[tenant.name.str()] = fake_.record(tenant);
  }
  Result<> delete_tenant(const Op&, const model::TenantName& name, std::optional<std::uint64_t>) override {
    TRY(call("delete_tenant " + name.str()));
    TRY(find(fake_.tenants, name.str()));
    fake_.tenants.erase(name.str());
    return {};
  }
  Result<model::Record<model::Tenant>> get_tenant(const Op&, const model::TenantName& name) override {
    TRY(call("get_tenant " + name.str()));
    return find(fake_.tenants, name.str());
  }
  Result<service::Page<model::Tenant>> list_tenants(const Op&, const service::ListQuery& query) override {
    return page("list_tenants", fake_.tenants, query);
  }

  Result<service::CreateOutcome> create_volume(const Op&, const service::CreateVolume& request) override {
    std::string text = "create_volume " + request.id.name();
    for (const auto& [key, value] : request.options) text += fmt::format(" {}={}", key, value);
    if (request.node) text += " on " + request.node->str();
    TRY(call(text));
    return service::CreateOutcome{fake_.add_volume(request.id.name()), fake_.created};
  }
  Result<model::Record<model::Volume>> adopt_volume(const Op&, const service::AdoptVolume& request) override {
    std::string text = "adopt_volume " + request.id.name();
    for (const auto& [key, value] : request.options) text += fmt::format(" {}={}", key, value);
    if (request.layout) text += fmt::format(" layout {}", to_string(*request.layout));
    if (request.confirmed == service::Confirmed::yes) text += " confirmed";
    TRY(call(text));
    return fake_.add_volume(request.id.name());
  }
  Result<model::Record<model::Volume>> get_volume(const Op&, const model::VolumeId& id) override {
    TRY(call("get_volume " + id.name()));
    return find(fake_.volumes, id.name());
  }
  Result<service::Page<model::Volume>> list_volumes(const Op&, const service::ListQuery& query) override {
    return page("list_volumes", fake_.volumes, query);
  }
  Result<> remove_volume(const Op&, const model::VolumeId& id, service::RemoveMode mode) override {
    TRY(call(fmt::format("remove_volume {} {}", id.name(),
                         mode == service::RemoveMode::delete_data     ? "delete_data"
                         : mode == service::RemoveMode::forget_record ? "forget_record"
                                                                      : "if_ephemeral")));
    TRY(find(fake_.volumes, id.name()));
    fake_.volumes.erase(id.name());
    return {};
  }

  Result<model::Record<model::Snapshot>> take_snapshot(const Op&,
                                                       const service::TakeSnapshot& request) override {
    const std::string name = request.volume.name() + "/" + (request.name ? request.name->str() : "made-up");
    TRY(call("take_snapshot " + name));
    return fake_.add_snapshot(name);
  }
  Result<model::Record<model::Snapshot>> get_snapshot(const Op&, const model::SnapshotId& id) override {
    TRY(call("get_snapshot " + id.text()));
    return find(fake_.snapshots, id.text());
  }
  Result<service::Page<model::Snapshot>> list_snapshots(const Op&, const service::ListQuery& query) override {
    return page("list_snapshots", fake_.snapshots, query);
  }
  Result<> remove_snapshot(const Op&, const model::SnapshotId& id) override {
    TRY(call("remove_snapshot " + id.text()));
    TRY(find(fake_.snapshots, id.text()));
    fake_.snapshots.erase(id.text());
    return {};
  }

  Result<model::Record<model::Mount>> acquire_mount(const Op&, const service::AcquireMount&) override {
    return unexpected();
  }
  Result<model::Record<model::Mount>> update_mount(const Op&, const service::UpdateMount&) override {
    return unexpected();
  }
  Result<> release_mount(const Op&, const service::ReleaseMount&) override { return unexpected(); }
  Result<> forget_mount(const Op&, const service::ForgetMount& request) override {
    TRY(call(fmt::format("forget_mount {} {}{}", request.volume.name(),
                         request.claim ? "of " + *request.claim : "of anybody",
                         request.confirmed == service::Confirmed::yes ? " confirmed" : "")));
    fake_.mounts.erase(request.volume.name());
    return {};
  }
  Result<model::Record<model::Mount>> get_mount(const Op&, const model::VolumeId& id) override {
    TRY(call("get_mount " + id.name()));
    if (fake_.mount_failure) return *fake_.mount_failure;
    return find(fake_.mounts, id.name());
  }
  Result<service::Page<model::Mount>> list_mounts(const Op&, const service::ListQuery& query) override {
    return page("list_mounts", fake_.mounts, query);
  }

  Result<model::Record<model::Session>> open_session(const Op&, const service::OpenSession&) override {
    return unexpected();
  }
  Result<> renew_session(const Op&, const model::NodeName&, const std::string&) override {
    return unexpected();
  }
  Result<model::Record<model::Node>> get_node(const Op&, const model::NodeName& name) override {
    TRY(call("get_node " + name.str()));
    return find(fake_.nodes, name.str());
  }
  Result<service::Page<model::Node>> list_nodes(const Op&, const service::ListQuery& query) override {
    return page("list_nodes", fake_.nodes, query);
  }
  void next_task(const Op&, const model::NodeName&, Millis, TaskCallback callback) override {
    callback(unexpected());
  }
  Result<> finish_task(const Op&, const model::NodeName&, const service::TaskResult&) override {
    return unexpected();
  }
  Result<std::vector<model::Operation>> list_operations(const Op&) override {
    TRY(call("list_operations"));
    return fake_.operations;
  }
  Result<model::Operation> get_operation(const Op&, const std::string& id) override {
    TRY(call("get_operation " + id));
    for (const auto& operation : fake_.operations)
      if (operation.id == id) return operation;
    return make_error(Code::not_found, fmt::format("operation '{}' is not under way", id));
  }
  Result<service::Health> health(const Op&) override {
    TRY(call("health"));
    return fake_.state;
  }

 private:
  Result<> call(std::string text) {
    fake_.calls.push_back(std::move(text));
    if (fake_.failure) return *fake_.failure;
    return {};
  }
  static Error unexpected() { return make_error(Code::internal, "volcli has no business with this"); }

  template <class T>
  static Result<model::Record<T>> find(const FakeCluster::Table<T>& table, const std::string& name) {
    const auto found = table.find(name);
    if (found == table.end()) return make_error(Code::not_found, fmt::format("'{}' does not exist", name));
    return found->second;
  }
  template <class T>
  Result<service::Page<T>> page(std::string what, const FakeCluster::Table<T>& table,
                                const service::ListQuery& query) {
    const std::string volume = query.volume.empty() ? "" : fmt::format(" volume='{}'", query.volume);
    TRY(call(fmt::format("{} tenant='{}'{} after='{}'", what, query.tenant, volume, query.after)));
    service::Page<T> page;
    std::string shown;
    for (const auto& [name, item] : table) {
      if (!query.tenant.empty() && !name.starts_with(query.tenant + "/")) continue;
      if (!query.volume.empty() && !name.starts_with(query.volume + "/")) continue;
      if (!fake_.repeats_pages && name <= query.after) continue;
      if (page.items.size() == std::min(fake_.page_size, query.limit)) {
        page.next = shown;
        return page;
      }
      page.items.push_back(item);
      shown = name;
    }
    return page;
  }
  FakeCluster& fake_;
};

// Runs volcli on command lines split at blanks (or given as words) and keeps what it wrote.
class CliTest : public testing::Test {
 protected:
  int run(const std::string& line, const std::string& input = "") {
    std::istringstream split(line);
    std::vector<std::string> words;
    for (std::string word; split >> word;) words.push_back(word);
    return run_words(words, input);
  }
  int run_words(const std::vector<std::string>& words, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out_stream;
    std::ostringstream err_stream;
    Streams streams{in, out_stream, err_stream, in_is_terminal, out_is_terminal, err_is_terminal};
    const int code = cli::run(words, streams, connect());
    out = out_stream.str();
    err = err_stream.str();
    return code;
  }
  Connect connect() {
    return {[this](const Target& asked, const Op&) -> Result<std::shared_ptr<service::Volmaster>> {
              target = asked;
              ++connects;
              if (connect_failure) return *connect_failure;
              return std::shared_ptr<service::Volmaster>(std::make_shared<FakeVolmaster>(fake));
            },
            [this](const Target& asked, const Op&, const FollowEvents& request) -> Result<> {
              target = asked;
              followed_after = request.after;
              for (const auto& [event, data] : events)
                if (!request.take(event, data)) return {};
              return make_error(Code::unavailable, "the stream is lost");
            }};
  }

  FakeCluster fake;
  std::optional<Error> connect_failure;
  std::vector<std::pair<std::string, std::string>> events;  // kind and data of what can be followed
  std::optional<std::uint64_t> followed_after;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  Target target;
  int connects = 0;
  std::string out;
  std::string err;
};

}  // namespace volplugin::cli
