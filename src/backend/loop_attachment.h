// SPDX-License-Identifier: Apache-2.0
// LoopAttachment: an image that is shown by a loop device, for the drivers whose images are files on this
// host.
#pragma once

#include "backend/backend.h"
#include "os/loop_device.h"

#include <memory>
#include <string>
#include <utility>

namespace volplugin::backend {

class LoopAttachment final : public Attachment {
 public:
  explicit LoopAttachment(os::LoopDevice device) : device_(std::move(device)) {}
  const std::string& device() const override { return device_.path(); }

 private:
  os::LoopDevice device_;
};

inline std::unique_ptr<Attachment> to_attachment(os::LoopDevice device) {
  return std::make_unique<LoopAttachment>(std::move(device));
}

}  // namespace volplugin::backend
