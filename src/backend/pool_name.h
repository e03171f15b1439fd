// SPDX-License-Identifier: Apache-2.0
// Names of pools and images of the drivers that put them into paths. Any thread.
#pragma once

#include "base/result.h"

#include <string>

namespace volplugin::backend {

// [A-Za-z0-9][A-Za-z0-9_.-]{0,62}. Errors: invalid_argument naming the rule.
Result<> check_pool_name(const std::string& pool);

// A plain file name. Errors: invalid_argument.
Result<> check_image_name(const std::string& image);

}  // namespace volplugin::backend
