// SPDX-License-Identifier: Apache-2.0
// A VolumeService that notes its calls and answers as told. Not thread-safe.
#pragma once

#include "service/volume_service.h"

#include <functional>

namespace volplugin::dockerplugin {

class FakeVolumes final : public service::VolumeService {
 public:
  struct Call {
    std::string what;
    Millis remaining{0};
    bool cancelled = false;
  };

  std::vector<Call> calls;
  std::optional<Error> error;
  bool bare = false;                    // knows nothing of a volume but its name
  std::function<void()> while_working;  // what happens outside meanwhile

  void engine_activated(std::optional<pid_t> engine) override {
    calls.push_back({"activated " + std::to_string(engine.value_or(-1))});
  }
  Result<> create(const Op& op, const std::string& name,
                  const std::map<std::string, std::string>& options) override {
    return note(op, "create " + name + " " + std::to_string(options.size()));
  }
  Result<> remove(const Op& op, const std::string& name) override { return note(op, "remove " + name); }
  Result<std::string> mount(const Op& op, const service::MountRequest& request) override {
    TRY(note(op, "mount " + request.name + " " + request.mount_id));
    return std::string("/mounts/x");
  }
  Result<> unmount(const Op& op, const std::string& name, const std::string& id) override {
    return note(op, "unmount " + name + " " + id);
  }
  Result<std::string> path(const Op& op, const std::string& name) override {
    TRY(note(op, "path " + name));
    return std::string("/mounts/x");
  }
  Result<service::VolumeStatus> get(const Op& op, const std::string& name) override {
    TRY(note(op, "get " + name));
    if (bare) return service::VolumeStatus{name, "", WallTime{}, {}};
    return service::VolumeStatus{name, "", WallTime{Millis(1'700'000'000'000)}, {{"phase", "ready"}}};
  }
  Result<std::vector<service::VolumeStatus>> list(const Op& op) override {
    TRY(note(op, "list"));
    return std::vector<service::VolumeStatus>{};
  }

 private:
  Result<> note(const Op& op, std::string what) {
    if (while_working) while_working();
    calls.push_back({std::move(what), op.remaining(), op.stop().stop_requested()});
    if (error) return *error;
    return {};
  }
};

}  // namespace volplugin::dockerplugin
