// SPDX-License-Identifier: Apache-2.0
// What there is to adopt: an image and its file system, looked at from outside. Any thread.
#pragma once

#include "backend/adoption.h"

#include <string>

namespace volplugin::executor {

struct Adoptable {
  backend::FoundImage image;
  std::string filesystem_type;  // "ext4"
};

// Blocks; attaches nothing and changes nothing. Errors: those of Adoption::find_image(); invalid_argument (it
// holds no file system that is known; says what it does hold), corrupt (several that contradict each other).
Result<Adoptable> find_adoptable(const Op& op, backend::Adoption& adoption, const backend::ImageKey& key);

}  // namespace volplugin::executor
