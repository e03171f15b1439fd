// SPDX-License-Identifier: Apache-2.0
// The contract of service::Volmaster, held by ControlPlane in process and by RestVolmaster over a unix
// socket, an http::Server and rest::Api in front of such a ControlPlane. The tests are in
// volmaster_*_test.cc; everything they ask goes through master(), whose answers must be the same both ways:
// code, effect and text.
#pragma once

#include "backend/sim/sim_backend.h"
#include "base/op.h"
#include "control/control_plane.h"
#include "control/event_feed.h"
#include "service/volmaster.h"

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace volplugin::contract {

using Options = std::map<std::string, std::string>;

// Of calls that are to reach their deadline; long enough to get to the place where they wait.
inline constexpr Millis kShort{800};

// Storage work without a kernel: images in a SimBackend, no file systems. Thread-safe.
class ScriptedStorage final : public service::StorageWork {
 public:
  explicit ScriptedStorage(const executor::Backends& backends) : backends_(backends) {}

  Result<service::Made> make(const Op& op, const model::Volume& volume) override;
  Result<> remove(const Op& op, const model::Volume& volume) override;

  // The next make fails so; with Effect::unknown only after it made the image.
  void fail_next_make(Error error);
  void fail_next_remove(Error error);
  // Every make waits (until its Op ends) while held.
  void hold();
  void release();
  int makes() const;    // begun so far
  int waiting() const;  // held now
  bool has_image(const model::Volume& volume) const;

 private:
  const executor::Backends& backends_;
  mutable std::mutex mutex_;
  std::condition_variable_any released_;
  std::optional<Error> make_error_, remove_error_;
  bool held_ = false;
  int makes_ = 0;
  int waiting_ = 0;
};

enum class Way { in_process, over_rest };

// The control plane under test and what stands around it. Node "here" is the local one. Backends: "sim",
// cluster-wide with the default pool "pool"; "local", host-local without one.
class World {
 public:
  explicit World(Way way);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  service::Volmaster& master();
  control::ControlPlane& control();
  control::TaskQueue& tasks();
  ScriptedStorage& storage();
  // The backend "sim": as volmaster has it, and what all hosts share.
  backend::SimBackend& sim();
  backend::SimCluster& cluster();
  void end_session(const std::string& id);
  // A record as another volmaster may have left it.
  void put_snapshot(model::Snapshot snapshot);
  size_t recorded_snapshots() const;

 private:
  struct Plane;
  struct RestServer;
  std::unique_ptr<Plane> plane_;
  std::unique_ptr<RestServer> rest_;
};

// The agent of a node: fetches tasks and does them, until destroyed.
class FakeAgent {
 public:
  FakeAgent(service::Volmaster& master, model::NodeName node, service::StorageWork& work);
  int finished() const { return finished_; }

 private:
  void run(const std::stop_token& stop);
  service::Volmaster& master_;
  model::NodeName node_;
  service::StorageWork& work_;
  std::atomic<int> finished_ = 0;
  std::jthread thread_;
};

// The value, or a failed test.
template <class T>
T must(Result<T> result, std::source_location where = std::source_location::current()) {
  if (!result)
    throw std::runtime_error(
        fmt::format("line {}: {}: {}", where.line(), to_string(result.error().code), result.error().message));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Op op_for(Millis timeout = Millis(20'000));
model::TenantName tenant(std::string_view name);
model::VolumeId volume(std::string_view name);  // "tenant/volume"
model::NodeName node(std::string_view name);
model::Use use(std::string_view id);
// One attempt to get work.
Result<std::optional<service::Task>> next_task(service::Volmaster& master, const model::NodeName& name,
                                               Millis wait);
// Until it holds, at most 20 s.
bool eventually(const std::function<bool()>& condition);

class VolmasterContract : public ::testing::TestWithParam<Way> {
 protected:
  VolmasterContract() : world_(GetParam()) {}

  service::Volmaster& master() { return world_.master(); }
  ScriptedStorage& storage() { return world_.storage(); }

  // A tenant with the filesystems ext4 and xfs, 10MB volumes on the backend "sim".
  model::Record<model::Tenant> upload(std::string_view name,
                                      const std::function<void(model::Tenant&)>& edit = {});
  Result<service::CreateOutcome> create(std::string_view name, const Options& options = {},
                                        std::string_view on_node = "");
  // The id of the node's session; opens it.
  std::string session(std::string_view of_node);
  // Under the session of the node, which is opened if need be, and the claim "claim".
  Result<model::Record<model::Mount>> acquire(std::string_view name, std::string_view on_node,
                                              std::string_view mount_id);
  Result<> release(std::string_view name, std::string_view by_node, const std::string& claim = "claim");

  World world_;
};

// The error has this code, this effect, and a text with all these parts.
template <class T>
void expect_error(const Result<T>& result, Code code, const std::vector<std::string>& parts = {},
                  Effect effect = Effect::none,
                  std::source_location where = std::source_location::current()) {
  const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()), "expected here");
  ASSERT_FALSE(result.has_value());
  const Error& error = result.error();
  EXPECT_EQ(to_string(error.code), to_string(code)) << error.message;
  EXPECT_EQ(error.effect == Effect::unknown, effect == Effect::unknown) << error.message;
  for (const auto& part : parts) EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
}

}  // namespace volplugin::contract
