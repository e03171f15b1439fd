// SPDX-License-Identifier: Apache-2.0
// RbdBackend: images in the pools of a Ceph cluster, for any host. The rules by which no two hosts write one
// image stand in docs/backends/ceph.md; the records they rest on in image_notes.h:
//   attach:  map -> note that this host holds it, and through which client -> look whether somebody shut it
//   out or
//            was faster -> only then is the device anybody's
//   fence:   note that the host is shut out -> look through which clients it holds the image -> blocklist
//   them,
//            break their lock
// Whichever comes first is seen by the other. Lifecycle: open(), destroy; what is mapped stays mapped. Any
// thread.
#pragma once

#include "backend/adoption.h"
#include "backend/fencing.h"
#include "backend/rbd/ceph_links.h"
#include "backend/rbd/image_mapper.h"
#include "backend/rbd/image_notes.h"
#include "backend/snapshots.h"
#include "base/calls.h"

#include <map>
#include <memory>
#include <string>

namespace volplugin::backend {

enum class RbdAttach { automatic, kernel, userspace };

struct RbdConfig {
  CephSettings ceph;
  std::map<std::string, CephSettings> pools;  // those with another user or keyring
  std::string state_dir;                      // what this host has mapped; need not survive a reboot
  std::string host;                           // the name of this host in notes
  RbdAttach attach = RbdAttach::automatic;
  bool exclusive = true;  // krbd keeps the lock of an image while it is mapped (kernel_mapper.h)
};

class RbdBackend final : public Backend, private Snapshots, private Fencing, private Adoption {
 public:
  static Result<std::unique_ptr<RbdBackend>> open(const Clock& clock, RbdConfig config);

  const Traits& traits() const override { return traits_; }
  Snapshots* snapshots() override { return this; }
  Fencing* fencing() override { return this; }
  Adoption* adoption() override { return this; }
  Result<> validate_pool(const std::string& pool) const override;
  Result<EnsureOutcome> ensure(const Op& op, const ImageKey& key, Bytes size) override;
  Result<Removed> remove(const Op& op, const ImageKey& key) override;
  Result<std::optional<ImageInfo>> inspect(const Op& op, const ImageKey& key) override;
  Result<std::vector<ImageInfo>> list(const Op& op, const std::string& pool) override;
  Result<PoolInfo> inspect_pool(const Op& op, const std::string& pool) override;
  Result<std::unique_ptr<Attachment>> attach(const Op& op, const ImageKey& key) override;
  Result<std::unique_ptr<Attachment>> attached_here(const Op& op, const ImageKey& key) override;
  Result<> detach(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment) override;

 private:
  // One image during one call.
  struct Work {
    const Op& op;
    const ImageKey& key;
    CephConnection& ceph;
  };

  RbdBackend(RbdConfig config, std::unique_ptr<CephLinks> links, std::unique_ptr<ImageMapper> mapper);

  Result<Ensured> ensure_snapshot(const Op& op, const SnapshotKey& key) override;
  Result<Removed> remove_snapshot(const Op& op, const SnapshotKey& key) override;
  Result<std::vector<SnapshotInfo>> list_snapshots(const Op& op, const ImageKey& image) override;

  Result<> fence(const Op& op, const ImageKey& key, const std::string& host) override;
  Result<> lift(const Op& op, const ImageKey& key, const std::string& host) override;

  Result<FoundImage> find_image(const Op& op, const ImageKey& key) override;
  Result<std::string> read(const Op& op, const ImageKey& key, Bytes offset, Bytes length) override;
  Result<> adopt(const Op& op, const ImageKey& key, const FoundImage& found) override;
  Result<> release(const Op& op, const ImageKey& key) override;

  Result<> check_key(const ImageKey& key) const;
  template <class Body>
  auto run(const Op& op, const ImageKey& key, std::string_view what, Body body);
  template <class Body>
  auto run_connected(const Op& op, const ImageKey& key, std::string_view what, Body body);

  // images.cc
  static Result<EnsureOutcome> ensure_image(const Work& work, Bytes size);
  static Result<EnsureOutcome> accept(const Work& work, const ImageNotes& notes, const std::string& id,
                                      Bytes size);
  static Result<EnsureOutcome> make_image(const Work& work, const ImageNotes& notes, Bytes size);
  static Result<EnsureOutcome> make_noted_image(const Work& work, const std::string& begun, Bytes size);
  static Result<> refuse_if_too_big(const Work& work, Bytes size);
  Result<Removed> remove_image(const Work& work);
  static Result<> remove_with_snapshots(const Work& work, const ImageNotes& notes, const std::string& id);
  static Result<> remove_snapshots(const Work& work);
  static Result<> refuse_if_open(const Work& work, const ImageNotes& notes, const Clients& clients);
  static Result<std::optional<ImageInfo>> inspect_image(const Work& work);

  // snapshots.cc
  Result<> check_snapshot(const SnapshotKey& key) const;
  static Result<Ensured> take_snapshot(const Work& work, const SnapshotKey& key);
  static Result<Removed> drop_snapshot(const Work& work, const SnapshotKey& key);
  static Result<std::vector<SnapshotInfo>> snapshots_in(const Work& work);

  // attach.cc
  LocalImage local(const ImageKey& key, const std::string& id) const;
  struct Memory {
    std::string uid;
    LocalImage image;
  };
  Result<std::optional<Memory>> memory_of(const ImageKey& key) const;
  Result<std::optional<LocalImage>> remembered(const ImageKey& key) const;
  Result<> clear_earlier(const Work& work, const LocalImage& image);
  Result<std::unique_ptr<Attachment>> attach_image(const Work& work);
  Result<> make_way(const Work& work, const ImageNotes& notes, const Clients& open_by, bool mapped);
  Result<std::unique_ptr<Attachment>> map_and_note(const Work& work, const LocalImage& image,
                                                   const Clients& others);
  Result<> note_holding(const Work& work, const LocalImage& image, const Clients& others);
  Result<> confirm_holding(const Work& work);
  Result<> detach_image(const Op& op, const ImageKey& key, std::unique_ptr<Attachment> attachment);
  Result<> let_go(const Op& op, const ImageKey& key, const LocalImage& image);
  Result<> shut_out_dead(const Work& work);
  Result<std::unique_ptr<Attachment>> find_attachment(const Op& op, const ImageKey& key);

  // fence.cc
  static Result<> fence_host(const Work& work, const std::string& host);
  static Result<> shut_out(const Work& work, const Clients& clients, std::chrono::seconds time);
  static Result<> lift_host(const Work& work, const std::string& host);

  // adopt.cc
  struct Foundling {
    CephImage image;
    std::string noted_as;  // the image's name when volplugin had it last; empty: it never had it
    ImageNotes notes;      // of that name
    bool has_lock = false;
  };
  static Result<Foundling> look_at(const Work& work);
  static Result<bool> check_features(const Work& work);
  static Result<> adopt_image(const Work& work, const FoundImage& found);
  static Result<> take(const Work& work, const Foundling& foundling);
  static Result<> release_image(const Work& work);

  static Result<PoolInfo> pool_info(CephConnection& ceph, const std::string& pool);
  static Result<ImageNotes> read_notes(const Work& work);
  static Result<> set_note(const Work& work, const std::string& name, const std::string& value);

  const Traits traits_;
  const RbdConfig config_;
  std::unique_ptr<CephLinks> links_;
  std::unique_ptr<ImageMapper> mapper_;
  static constexpr size_t kMostCalls = 16;  // to a cluster that hangs
  Calls calls_{"ceph", kMostCalls};         // last: ends first
};

// "pool/image", as rbd writes it.
std::string name_of(const ImageKey& key);
// Whether the notes are about this very image.
bool is_of(const ImageNotes& notes, const std::string& image_id);
// Whether the image is that of the key. Errors: permission_denied, naming whose it is.
Result<> require_ours(const ImageKey& key, const ImageNotes& notes, const std::string& image_id);

}  // namespace volplugin::backend
