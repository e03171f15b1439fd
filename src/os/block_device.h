// SPDX-License-Identifier: Apache-2.0
// Questions about a block device (or, where it says so, an image file). Any thread.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "os/device_number.h"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace volplugin::os {

// Also for a regular file. Errors: not_found, by errno.
Result<Bytes> device_size(const std::string& device);

// Whether the device is mounted, in any mount namespace, or held by another exclusive user. Plain open
// descriptors do not count. Claims the device for an instant: a mount at that moment fails with busy,
// so calls for one device are serialised by the caller.
Result<bool> in_use(const std::string& device);

struct Probe {
  std::string type;   // "ext4", "xfs", "dos" (a partition table), "LVM2_member"; empty: no signature
  std::string usage;  // "filesystem", "raid", "crypto", "other", "partitions"; empty: no signature
  std::string uuid;
  bool blank = false;  // no known signature and the first 128 KiB are zero: safe to format
};

// What libblkid recognises. Also for a regular file.
// Errors: corrupt when several signatures contradict each other; never call that blank.
Result<Probe> probe(const std::string& device);

// The same for a device of that size of which only the start and the end can be had: what is between counts
// as zeros. Blank says of it no more than probe(), which looks no further either.
Result<Probe> probe_ends(std::string_view start, std::string_view end, Bytes size);

// The type of the file system ("ext4") just made on a device that was blank before; empty: none that is
// known. Takes the first signature it finds and is much cheaper than probe(), which has to look for all.
Result<std::string> new_filesystem_type(const std::string& device);

// Everything written to the device is durable on return. Blocks as long as the storage does.
Result<> flush(const std::string& device);

// Errors: not_found; invalid_argument when the path is no block device.
Result<DeviceNumber> device_number(const std::string& device);
DeviceNumber device_number(dev_t number);
dev_t to_dev_t(DeviceNumber number);

}  // namespace volplugin::os
