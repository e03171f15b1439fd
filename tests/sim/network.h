// SPDX-License-Identifier: Apache-2.0
// Network: how an agent, or a person with volcli, reaches the volmasters. A call goes to one of them, or gets
// lost, or its answer does, or it arrives much later, perhaps for a second time: as from a volmaster that was
// frozen with the request in hand while its client went on to another one.
#pragma once

#include "master.h"
#include "process.h"

namespace volplugin::sim {

struct Link {
  bool cut = false;
};

// What the simulator does for all networks.
class Courier : public Gate {
 public:
  // `volume`: whose turn the request takes there. Empty: none.
  struct Request {
    std::string what;
    std::string volume;
    std::function<void(Master&)> carry_out;
  };
  enum class Outcome { carried_out, refused, not_now, answer_lost };
  // not_now: it may be carried out later, and nobody hears of the answer.
  virtual Outcome send(const Link& link, Request request) = 0;
  // What is promised: a create was answered, a remove runs. `removes`: as removes_of() said before the
  // create.
  virtual std::uint64_t removes_of(const model::VolumeId& id) = 0;
  virtual void created(const model::Volume& volume, std::uint64_t removes) = 0;
  virtual Result<> removing(const model::VolumeId& id, const std::function<Result<>()>& remove) = 0;
  // The same of snapshots.
  virtual std::uint64_t removes_of(const model::SnapshotId& id) = 0;
  virtual void taken(const model::Snapshot& snapshot, std::uint64_t removes) = 0;
  virtual Result<> removing(const model::SnapshotId& id, const std::function<Result<>()>& remove) = 0;
  virtual const Clock& clock() const = 0;
};

class Network final : public service::VolumeRecords {
 public:
  Network(Courier& courier, Process& process, const Link& link)
      : courier_(courier), process_(process), link_(link) {}

  Result<service::CreateOutcome> create_volume(const Op& op, const service::CreateVolume& request) override;
  Result<model::Record<model::Volume>> get_volume(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Volume>> list_volumes(const Op& op, const service::ListQuery& query) override;
  Result<> remove_volume(const Op& op, const model::VolumeId& id, service::RemoveMode mode) override;
  Result<model::Record<model::Mount>> acquire_mount(const Op& op,
                                                    const service::AcquireMount& request) override;
  Result<model::Record<model::Mount>> update_mount(const Op& op,
                                                   const service::UpdateMount& request) override;
  Result<> release_mount(const Op& op, const service::ReleaseMount& request) override;
  Result<model::Record<model::Mount>> get_mount(const Op& op, const model::VolumeId& id) override;
  Result<service::Page<model::Mount>> list_mounts(const Op& op, const service::ListQuery& query) override;
  Result<model::Record<model::Session>> open_session(const Op& op,
                                                     const service::OpenSession& request) override;
  Result<> renew_session(const Op& op, const model::NodeName& node, const std::string& session) override;
  Result<model::Record<model::Snapshot>> take_snapshot(const Op& op, const model::SnapshotId& id);
  Result<> remove_snapshot(const Op& op, const model::SnapshotId& id);
  Result<model::Record<model::Volume>> adopt_volume(const Op& op, const service::AdoptVolume& request);
  Result<> forget_mount(const Op& op, const service::ForgetMount& request);

 private:
  template <class T, class Call>
  Result<T> carry(const Op& op, std::string what, std::string volume, Call call);

  Courier& courier_;
  Process& process_;
  const Link& link_;
};

}  // namespace volplugin::sim
