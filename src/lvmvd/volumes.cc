// SPDX-License-Identifier: Apache-2.0
// The parts put together, and the words of the answers: what lvmvd always said where programs may look for
// it.
#include "lvmvd/volumes.h"

#include "backend/lvm/lvm_backend.h"
#include "base/periodic.h"
#include "executor/host_filesystems.h"
#include "lvmvd/volume_group.h"
#include "node/agent.h"
#include "os/file.h"
#include "os/host.h"
#include "os/mount.h"

namespace volplugin::lvmvd {
namespace {

constexpr Millis kRecoveryInterval{5'000};
constexpr Millis kRecoveryTimeout{60'000};

// Clients older than mount IDs, and people with curl, send none. Their calls are counted all the same.
std::string id_or_none(const std::string& mount_id) {
  return mount_id.empty() ? "none" : mount_id;
}

// Two processes would undo each other's work.
Result<os::FileDescriptor> lock_state(const std::string& directory) {
  TRY(os::ensure_directory(directory, 0700));
  auto file = TRY(os::open_file(directory + "/lock", O_RDWR | O_CREAT, 0600));
  if (TRY(os::try_lock(file))) return file;
  return make_error(Code::already_exists,
                    fmt::format("another lvmvd works with {}; stop it first, or give this one another "
                                "--state-dir and volume group",
                                directory));
}

// Logical volumes that we neither list nor touch, though an lvmvd that marked nothing may have made them.
void tell_unmarked(const Op& op, const std::string& group,
                   const std::function<void(const std::string&)>& warn) {
  const auto volumes = backend::LvmTool().volumes(op, group);
  if (!volumes) return warn(volumes.error().message);
  std::vector<std::string> names;
  for (const auto& volume : *volumes)
    if (volume.tags.empty() && (volume.type == "linear" || volume.type == "striped"))
      names.push_back(volume.name);
  if (names.empty()) return;
  warn(fmt::format(
      "volume group {} has logical volumes without lvmvd's tag, which are left alone: {}. To have "
      "one served, give it the tag: lvchange --addtag {} {}/{}",
      group, fmt::join(names, ", "), kOwner, group, names.front()));
}

class Volumes final : public service::VolumeService {
 public:
  static Result<std::unique_ptr<Volumes>> open(const VolumesSettings& settings, const Clock& clock,
                                               const std::function<void(const std::string&)>& warn);

  void engine_activated(std::optional<pid_t> engine) override { agent_->engine_activated(engine); }
  Result<> create(const Op& op, const std::string& name,
                  const std::map<std::string, std::string>& options) override;
  Result<> remove(const Op& op, const std::string& name) override;
  Result<std::string> mount(const Op& op, const service::MountRequest& request) override;
  Result<> unmount(const Op& op, const std::string& name, const std::string& mount_id) override {
    return agent_->unmount(op, name, id_or_none(mount_id));
  }
  Result<std::string> path(const Op& op, const std::string& name) override;
  Result<service::VolumeStatus> get(const Op& op, const std::string& name) override;
  Result<std::vector<service::VolumeStatus>> list(const Op& op) override;

 private:
  Volumes() = default;

  os::FileDescriptor lock_;  // on the state directory, as long as this lives
  executor::HostFilesystems filesystems_;
  executor::Backends backends_;
  std::unique_ptr<executor::Executor> executor_;
  std::unique_ptr<VolumeGroup> group_;
  std::unique_ptr<node::Agent> agent_;
  std::unique_ptr<Periodic> recovery_;  // last: uses the others
};

Result<std::unique_ptr<Volumes>> Volumes::open(const VolumesSettings& settings, const Clock& clock,
                                               const std::function<void(const std::string&)>& warn) {
  std::unique_ptr<Volumes> volumes(new Volumes());
  const std::string backend_name(kBackend);
  volumes->backends_[backend_name] =
      std::make_unique<backend::LvmBackend>(backend::LvmConfig{.owner = std::string(kOwner)});
  auto& backend = *volumes->backends_[backend_name];
  TRY(backend.validate_pool(settings.volume_group));
  volumes->executor_ =
      std::make_unique<executor::Executor>(volumes->backends_, volumes->filesystems_, settings.mount_root);
  const std::string state = settings.state_dir + "/" + settings.volume_group;
  volumes->lock_ = TRY(lock_state(state));
  std::vector<std::string> problems;
  auto unfinished = TRY(Unfinished::open(state + "/unfinished", problems));
  for (const auto& problem : problems) warn(problem);
  volumes->group_ =
      std::make_unique<VolumeGroup>(VolumeGroupParts{backend, *volumes->executor_, clock, warn},
                                    settings.volume_group, settings.default_size, std::move(unfinished));
  node::AgentSettings agent{TRY(model::NodeTag::parse("localhost")), state + "/uses", TRY(os::boot_id())};
  agent.parse_name = [](std::string_view name) { return model::parse_flat_volume_id(name); };
  volumes->agent_ = TRY(node::Agent::open(
      {*volumes->group_, *volumes->executor_, volumes->filesystems_, clock, warn}, std::move(agent)));
  Volumes* self = volumes.get();
  tell_unmarked(Op(clock, kRecoveryTimeout, make_request_id(), "start"), settings.volume_group, warn);
  volumes->recovery_ =
      std::make_unique<Periodic>("recovery", kRecoveryInterval, [self, &clock](std::stop_token stop) {
        const Op op(clock, kRecoveryTimeout, make_request_id(), "recovery", std::move(stop));
        self->group_->recover_step(op);
        self->agent_->recover_step(op);
      });
  return volumes;
}

Result<> Volumes::create(const Op& op, const std::string& name,
                         const std::map<std::string, std::string>& options) {
  auto created = agent_->create(op, name, options);
  if (!created && created.error().code == Code::already_exists)
    created.error().message = fmt::format("Volume {} already exists", name);
  return created;
}

Result<> Volumes::remove(const Op& op, const std::string& name) {
  const auto id = TRY(model::parse_flat_volume_id(name));
  auto removed = group_->remove_volume(op, id, service::RemoveMode::delete_data);
  if (removed) return removed;
  Error& error = removed.error();
  if (error.code == Code::not_found)
    error.message = fmt::format("Cannot delete volume {}: it does not exist", name);
  if (error.code == Code::busy) error.message = fmt::format("Volume {} is still mounted", name);
  return removed;
}

Result<std::string> Volumes::mount(const Op& op, const service::MountRequest& request) {
  auto mounted = agent_->mount(op, {request.name, id_or_none(request.mount_id), request.engine});
  if (!mounted && mounted.error().code == Code::not_found)
    mounted.error().message = fmt::format("Volume {} does not exist", request.name);
  return mounted;
}

Result<std::string> Volumes::path(const Op& op, const std::string& name) {
  const auto found = agent_->get(op, name);
  if (!found && found.error().code != Code::not_found) return found.error();
  if (found && !found->mount_point.empty()) return found->mount_point;
  return make_error(Code::not_found, fmt::format("Volume {} not mounted", name));
}

Result<service::VolumeStatus> Volumes::get(const Op& op, const std::string& name) {
  const auto found = agent_->get(op, name);
  if (found) return service::VolumeStatus{found->name, found->mount_point, {}, {}};
  // A name that no volume can have is one that does not exist.
  if (found.error().code == Code::not_found || found.error().code == Code::invalid_argument)
    return make_error(Code::not_found, fmt::format("Volume {} does not exist", name));
  return found.error();
}

Result<std::vector<service::VolumeStatus>> Volumes::list(const Op& op) {
  auto all = TRY(agent_->list(op));
  for (auto& volume : all) volume = {volume.name, volume.mount_point, {}, {}};
  return all;
}

}  // namespace

Result<std::unique_ptr<service::VolumeService>> open_volumes(
    const VolumesSettings& settings, const Clock& clock,
    const std::function<void(const std::string&)>& warn) {
  return TRY(Volumes::open(settings, clock, warn));
}

Result<bool> volume_group_exists(const Op& op, const std::string& name) {
  if (!backend::parse_lvm_pool(name) || name.find('/') != name.npos) return false;
  const auto group = backend::LvmTool().group(op, name);
  if (!group && group.error().code == Code::not_found) return false;
  if (!group) return group.error();
  return true;
}

}  // namespace volplugin::lvmvd
