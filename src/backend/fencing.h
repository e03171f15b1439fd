// SPDX-License-Identifier: Apache-2.0
// Fencing: the part of a storage driver that cuts a host off from an image, for drivers that can (ask
// Backend::fencing()). Without it a volume of a host that was lost is given to nobody until a person says
// that the host is down. Held to tests/contract/backend_fencing_test.cc.
#pragma once

#include "backend/backend.h"

namespace volplugin::backend {

class Fencing {
 public:
  virtual ~Fencing() = default;

  // When it returns success, nothing that `host` sends or has under way changes the image any more, whatever
  // state that host is in: it may be frozen and come back much later. Idempotent; blocks. The host's
  // device stays, and fails; once that is gone the host may attach the image anew only after lift():
  // until then attach() there is permission_denied, also if the host never had the image. Nothing else
  // changes: neither other images that the host has attached, nor what other hosts do with this one, who may
  // attach it at once. A fence outlives the process that made it, and ends with the image.
  // Errors: not_found (the image, or another uid), unavailable, deadline_exceeded.
  virtual Result<> fence(const Op& op, const ImageKey& key, const std::string& host) = 0;

  // `host` is known to have let go of the image: it may use it again. Idempotent; success if there is no
  // fence or no image. Errors: busy (fenced, and still attached there), unavailable.
  virtual Result<> lift(const Op& op, const ImageKey& key, const std::string& host) = 0;
};

}  // namespace volplugin::backend
