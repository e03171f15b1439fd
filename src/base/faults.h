// SPDX-License-Identifier: Apache-2.0
// Named fault points: places where a test may stop the process (or make a step fail) to prove that
// every crash is survived. Unarmed they cost one relaxed load. Armed by `--fault NAME=ACTION` of the
// daemons (hidden from --help; only for tests). Thread-safe.
#pragma once

#include "base/result.h"

#include <span>
#include <string_view>

namespace volplugin {

// One per step boundary. The crash ring aborts at each; add a name here and to kNames in faults.cc.
enum class Fault {
  create_recorded,        // volume record `creating` is durable, no storage touched
  create_image_made,      // image exists, blank
  create_attached,        // block device exists
  create_formatted,       // file system made, not yet detached
  create_detached,        // storage done, record still `creating`
  create_acknowledged,    // record `ready`, caller not yet told
  adopt_recorded,         // volume record `adopting` is durable, the image is as it was
  adopt_image_taken,      // the image carries the volume's uid, record still `adopting`
  adopt_acknowledged,     // record `ready`, caller not yet told
  mount_recorded,         // mount record durable, nothing attached
  mount_attached,         // block device exists
  mount_mounted,          // mounted, use not yet in the journal
  mount_journaled,        // journal written, caller not yet told
  unmount_journaled,      // use dropped from the journal, still mounted
  unmount_unmounted,      // unmounted, mount record still there
  unmount_released,       // mount record gone, caller not yet told
  remove_recorded,        // volume record `removing` is durable, image still there
  remove_image_removed,   // image gone, record still there
  remove_acknowledged,    // record gone, caller not yet told
  snapshot_recorded,      // snapshot record `taking` is durable, no storage touched
  snapshot_taken,         // the snapshot exists, record still `taking`
  snapshot_acknowledged,  // record `ready`, caller not yet told
  snapshot_removing,      // snapshot record `removing` is durable, the snapshot still there
  snapshot_removed,       // the snapshot is gone, record still there
  snapshot_forgotten,     // record gone, caller not yet told
};

namespace faults {

enum class Action { abort, fail };

// "NAME=abort" or "NAME=fail"; arms one point (the last call wins). Errors: invalid_argument.
Result<> arm(std::string_view spec);
void disarm();
std::span<const std::string_view> names();
// Aborts the process, returns an error (`internal`, effect unknown), or does nothing.
Result<> hit(Fault point);

}  // namespace faults
}  // namespace volplugin
