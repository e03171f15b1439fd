// SPDX-License-Identifier: Apache-2.0
// The two ways to reach a control plane, and the fakes around it.
#include "client/rest_volmaster.h"
#include "http/server.h"
#include "kv/memory/memory_store.h"
#include "rest/api.h"
#include "tests/contract/volmaster_contract.h"

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>

namespace volplugin::contract {
namespace {

constexpr Bytes kPoolSize = Bytes::gib(1024);

executor::Backends make_backends(std::shared_ptr<backend::SimCluster> cluster) {
  using backend::Scope;
  using backend::SimBackend;
  using backend::SimCluster;
  executor::Backends backends;
  backends["sim"] = std::make_unique<SimBackend>(std::move(cluster), "host");
  backends["local"] =
      std::make_unique<SimBackend>(std::make_shared<SimCluster>(Scope::host_local, kPoolSize), "host");
  return backends;
}

control::Settings settings() {
  return {.defaults = {.backend = "sim", .pools = {{"sim", "pool"}}},
          .local_node = node("here"),
          .version = "1.2.3"};
}

// What volmaster does once a second, here as often as a test needs it.
class Ticker {
 public:
  explicit Ticker(control::TaskQueue& tasks)
      : thread_([&tasks](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any never;
          std::unique_lock lock(mutex);
          while (!stop.stop_requested()) {
            tasks.expire();
            never.wait_for(lock, stop, Millis(2), [] { return false; });
          }
        }) {}

 private:
  std::jthread thread_;
};

struct TempDir {
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "volmaster-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path = pattern;
  }
  ~TempDir() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

backend::ImageKey key_of(const model::Volume& of) {
  return {of.options.pool, of.id.image(), of.uid};
}

}  // namespace

struct World::Plane {
  kv::MemoryStore store;
  std::unique_ptr<catalog::Catalog> catalog = must(catalog::Catalog::open(op_for(), store));
  std::shared_ptr<backend::SimCluster> cluster =
      std::make_shared<backend::SimCluster>(backend::Scope::cluster, kPoolSize);
  executor::Backends backends = make_backends(cluster);
  ScriptedStorage storage{backends};
  control::TaskQueue tasks{system_clock()};
  control::ControlPlane control{{*catalog, backends, storage, tasks, system_clock()}, settings()};
  control::EventFeed events{*catalog,
                            [this](const model::NodeName& name) { return control.connected(name); }};
  Ticker ticker{tasks};
};

struct World::RestServer {
  RestServer(service::Volmaster& plane, service::EventSource& events)
      : api(plane, events, system_clock(), "1.2.3") {
    address = must(server.listen("unix://" + (dir.path / "volmaster.sock").string()));
    must(server.start());
    client = must(client::RestVolmaster::open({address}, "contract"));
  }
  TempDir dir;
  rest::Api api;
  // So few threads that a call which held one while it waits would be noticed.
  http::Server server{{.handler_threads = 2}, [this](http::Request request, http::Reply reply) {
                        api.handle(std::move(request), std::move(reply));
                      }};
  std::string address;
  std::unique_ptr<client::RestVolmaster> client;
};

World::World(Way way) : plane_(std::make_unique<Plane>()) {
  if (way == Way::over_rest) rest_ = std::make_unique<RestServer>(plane_->control, plane_->events);
}
World::~World() {
  plane_->tasks.close();
}

service::Volmaster& World::master() {
  if (rest_) return *rest_->client;
  return plane_->control;
}
control::ControlPlane& World::control() {
  return plane_->control;
}
control::TaskQueue& World::tasks() {
  return plane_->tasks;
}
ScriptedStorage& World::storage() {
  return plane_->storage;
}

backend::SimBackend& World::sim() {
  return static_cast<backend::SimBackend&>(*plane_->backends.at("sim"));
}
backend::SimCluster& World::cluster() {
  return *plane_->cluster;
}
void World::end_session(const std::string& id) {
  must(plane_->store.revoke(op_for(), kv::LeaseId{std::stoull(id)}));
}

void World::put_snapshot(model::Snapshot snapshot) {
  catalog::Edit edit;
  edit.put(plane_->catalog->snapshots, std::move(snapshot));
  must(plane_->catalog->commit(op_for(), std::move(edit)));
}

size_t World::recorded_snapshots() const {
  return plane_->catalog->snapshots.size();
}

Result<service::Made> ScriptedStorage::make(const Op& op, const model::Volume& of) {
  std::unique_lock lock(mutex_);
  ++makes_;
  ++waiting_;
  const bool free = released_.wait_for(lock, op.stop(), op.remaining(), [this] { return !held_; });
  --waiting_;
  if (!free)
    return make_error(op.stop().stop_requested() ? Code::cancelled : Code::deadline_exceeded,
                      "held until the end");
  const auto error = std::exchange(make_error_, std::nullopt);
  lock.unlock();
  if (error && error->effect == Effect::none) return *error;
  const auto ensured = TRY(backends_.at(of.options.backend)->ensure(op, key_of(of), of.options.size));
  if (error) return *error;
  return service::Made{ensured.size, of.options.filesystem};
}

Result<> ScriptedStorage::remove(const Op& op, const model::Volume& of) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto error = std::exchange(remove_error_, std::nullopt)) return *error;
  }
  TRY(backends_.at(of.options.backend)->remove(op, key_of(of)));
  return {};
}

void ScriptedStorage::fail_next_make(Error error) {
  const std::lock_guard lock(mutex_);
  make_error_ = std::move(error);
}
void ScriptedStorage::fail_next_remove(Error error) {
  const std::lock_guard lock(mutex_);
  remove_error_ = std::move(error);
}
void ScriptedStorage::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}
void ScriptedStorage::release() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  released_.notify_all();
}
int ScriptedStorage::makes() const {
  const std::lock_guard lock(mutex_);
  return makes_;
}
int ScriptedStorage::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}
bool ScriptedStorage::has_image(const model::Volume& of) const {
  const auto image = must(backends_.at(of.options.backend)->inspect(op_for(), key_of(of)));
  return image && image->uid == of.uid;
}

FakeAgent::FakeAgent(service::Volmaster& master, model::NodeName name, service::StorageWork& work)
    : master_(master),
      node_(std::move(name)),
      work_(work),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void FakeAgent::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto next = next_task(master_, node_, Millis(30));
    if (!next || !*next) continue;
    const service::Task& task = **next;
    const Op op = op_for(task.remaining);
    service::TaskResult result{task.id, {}, {}};
    if (task.kind == service::TaskKind::make) {
      auto made = work_.make(op, task.volume);
      if (made)
        result.made = *made;
      else
        result.error = made.error();
    } else if (auto removed = work_.remove(op, task.volume); !removed) {
      result.error = removed.error();
    }
    ++finished_;
    std::ignore = master_.finish_task(op_for(), node_, result);
  }
}

Op op_for(Millis timeout) {
  return Op(system_clock(), timeout, make_request_id(), "contract");
}
model::TenantName tenant(std::string_view name) {
  return must(model::TenantTag::parse(name));
}
model::VolumeId volume(std::string_view name) {
  return must(model::parse_volume_id(name));
}
model::NodeName node(std::string_view name) {
  return must(model::NodeTag::parse(name));
}
model::Use use(std::string_view id) {
  return {must(model::MountIdTag::parse(id)), WallTime(Millis(1'700'000'000'123))};
}

Result<std::optional<service::Task>> next_task(service::Volmaster& master, const model::NodeName& name,
                                               Millis wait) {
  std::promise<Result<std::optional<service::Task>>> promise;
  auto answer = promise.get_future();
  master.next_task(op_for(), name, wait, [&promise](Result<std::optional<service::Task>> next) {
    promise.set_value(std::move(next));
  });
  return answer.get();
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

model::Record<model::Tenant> VolmasterContract::upload(std::string_view name,
                                                       const std::function<void(model::Tenant&)>& edit) {
  model::Tenant policy{tenant(name), {}, {{"ext4", "mkfs.ext4 -m0 %"}, {"xfs", "mkfs.xfs %"}}};
  policy.defaults.size = Bytes::mib(10);
  if (edit) edit(policy);
  return must(master().put_tenant(op_for(), policy, std::nullopt));
}

Result<service::CreateOutcome> VolmasterContract::create(std::string_view name, const Options& options,
                                                         std::string_view on_node) {
  service::CreateVolume request{volume(name), options, {}};
  if (!on_node.empty()) request.node = node(on_node);
  return master().create_volume(op_for(), request);
}

Result<model::Record<model::Mount>> VolmasterContract::acquire(std::string_view name,
                                                               std::string_view on_node,
                                                               std::string_view mount_id) {
  return master().acquire_mount(op_for(), {volume(name), node(on_node), session(on_node), "claim",
                                           "/mnt/" + std::string(name), use(mount_id)});
}

std::string VolmasterContract::session(std::string_view of_node) {
  return must(master().open_session(op_for(), {{node(of_node)}, "host-of-" + std::string(of_node)}))
      ->value.id;
}

Result<> VolmasterContract::release(std::string_view name, std::string_view by_node,
                                    const std::string& claim) {
  return master().release_mount(op_for(), {volume(name), node(by_node), claim});
}

INSTANTIATE_TEST_SUITE_P(Volmaster, VolmasterContract, ::testing::Values(Way::in_process, Way::over_rest),
                         [](const auto& way) {
                           return way.param == Way::in_process ? "InProcess" : "OverRest";
                         });

}  // namespace volplugin::contract
