// SPDX-License-Identifier: Apache-2.0
// ImageMapper: how an image becomes a block device of this host. Two ways: the kernel's own client (krbd)
// and, where the kernel has none, a server process on librbd behind a loop device. Who may map what is not
// decided here. Threads: any; calls for one image are serialised by the caller. All functions block.
#pragma once

#include "backend/backend.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace volplugin::backend {

// An image as this host has it: `directory` is its place for what the mapper keeps about it, and is there.
struct LocalImage {
  std::string pool, image, id;
  std::string directory;
};

enum class Unmapped {
  closed,  // the client has told the cluster that it goes
  lost,    // there was none any more, or it had to be killed: the cluster may take it for alive
};

class ImageMapper {
 public:
  virtual ~ImageMapper() = default;

  // The device that shows the image, or null. Does not ask the cluster.
  virtual Result<std::unique_ptr<Attachment>> find(const LocalImage& image) = 0;
  // Shows it, also where an earlier map() ended half way. Errors: busy (another client has it), unavailable,
  // resource_exhausted.
  virtual Result<std::unique_ptr<Attachment>> map(const Op& op, const LocalImage& image) = 0;
  // Ends whatever makes this host a client of the image. Nothing there: lost. The device must not be in
  // use. Errors: busy.
  virtual Result<Unmapped> unmap(const Op& op, const LocalImage& image) = 0;
  // Whether anything is left here that unmap() would end.
  virtual Result<bool> anything_left(const LocalImage& image) = 0;
  // The client of the cluster that serves the device, if the mapper knows.
  virtual Result<std::optional<std::string>> client_of(const LocalImage& image) = 0;
};

}  // namespace volplugin::backend
