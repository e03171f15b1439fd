// SPDX-License-Identifier: Apache-2.0
// Adoption: the part of a storage driver that makes a volume's of an image that exists, for drivers that can
// (ask Backend::adoption()). The data of the image is never touched. Held to
// tests/contract/backend_adoption_test.cc.
#pragma once

#include "backend/backend.h"

namespace volplugin::backend {

struct FoundImage {
  std::string id;  // of this very image; another one of the same name has another
  Bytes size;
  std::string owner;  // uid of the volume that it belongs to; empty: to none
  bool made = false;  // volplugin made it, for that volume or an earlier one
};

class Adoption {
 public:
  virtual ~Adoption() = default;

  // What image has the name of the key; its uid is not looked at. Changes nothing, blocks. Errors: not_found
  // (no such image or pool), busy (somebody has it open or locked; names who), unsupported (hosts could not
  // use it as it is; says why, and what to do).
  virtual Result<FoundImage> find_image(const Op& op, const ImageKey& key) = 0;

  // The bytes from `offset` on, fewer at the end of the image. Attaches nothing, changes nothing; blocks.
  // Errors: not_found.
  virtual Result<std::string> read(const Op& op, const ImageKey& key, Bytes offset, Bytes length) = 0;

  // The image carries the uid of the key from now on, and `found.owner` cannot write to it any more.
  // Idempotent; blocks. After a crash in between the image is either as it was or adopted. Errors: those of
  // find_image(); conflict (it is not what was found any more).
  virtual Result<> adopt(const Op& op, const ImageKey& key, const FoundImage& found) = 0;

  // Undoes adopt(): the image is again whose it was before, with all its data. Idempotent; success if there
  // is no image, or it does not carry the uid of the key. Errors: conflict (the image was made for that
  // uid, not adopted).
  virtual Result<> release(const Op& op, const ImageKey& key) = 0;
};

}  // namespace volplugin::backend
