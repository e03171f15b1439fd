// SPDX-License-Identifier: Apache-2.0
// VolumeGroup: the volumes of lvmvd are what the volume group says; there is no other record of them. A
// logical volume with our tag is a volume, except while it is being made (Unfinished).
// Thread-safe; one call at a time per volume, others in parallel. Every call blocks as long as LVM does.
#pragma once

#include "base/keyed_queue.h"
#include "executor/executor.h"
#include "lvmvd/unfinished.h"
#include "service/volume_records.h"

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace volplugin::lvmvd {

inline constexpr std::string_view kBackend = "lvm";
inline constexpr std::string_view kOwner = "lvmvd";  // in the tags of its logical volumes

struct VolumeGroupParts {
  backend::Backend& backend;
  executor::Executor& executor;
  const Clock& clock;
  std::function<void(const std::string&)> warn;
};

class VolumeGroup final : public service::VolumeRecords {
 public:
  VolumeGroup(VolumeGroupParts parts, std::string group, Bytes default_size,
              std::unique_ptr<Unfinished> unfinished);

  // Removes what crashes left half made. To be called at start and then from time to time.
  void recover_step(const Op& op);

  // Errors: already_exists, also for the same options (as it always was).
  Result<service::CreateOutcome> create_volume(const Op& op, const service::CreateVolume& request) override;
  Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) override;
  // All of them in one page.
  Result<service::Page<model::Volume>> list_volumes(const Op& op, const service::ListQuery& query) override;
  // Deletes the data, whatever the mode.
  Result<> remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) override;

  // One host: acquiring only keeps the volume from being removed.
  Result<model::Record<model::Mount>> acquire_mount(const Op& op,
                                                    const service::AcquireMount& request) override;
  Result<model::Record<model::Mount>> update_mount(const Op& op,
                                                   const service::UpdateMount& request) override;
  Result<> release_mount(const Op& op, const service::ReleaseMount& request) override;
  Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Mount>> list_mounts(const Op& op, const service::ListQuery& query) override;
  // There is nobody else: the session never ends.
  Result<model::Record<model::Session>> open_session(const Op& op,
                                                     const service::OpenSession& request) override;
  Result<> renew_session(const Op& op, const model::NodeName& node, const std::string& session) override;

 private:
  model::Volume volume_of(const model::VolumeId& id, const backend::ImageInfo& image) const;
  Result<model::Volume> plan(const service::CreateVolume& request) const;
  bool is_unfinished(const model::VolumeId& id, const std::string& uid) const;
  Result<model::Volume> look_up(const Op& op, const model::VolumeId& id);
  Result<> remove_unfinished(const Op& op, const model::Volume& volume);

  VolumeGroupParts parts_;
  std::string group_;
  Bytes default_size_;
  std::unique_ptr<Unfinished> unfinished_;
  KeyedQueue queue_;
  std::mutex mutex_;
  std::set<std::string> acquired_;
};

}  // namespace volplugin::lvmvd
