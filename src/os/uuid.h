// SPDX-License-Identifier: Apache-2.0
// UUIDs as 36 lower-case characters. Any thread.
#pragma once

#include <string>
#include <string_view>

namespace volplugin::os {

// A new one, random.
std::string new_uuid();

// Always the same for the same name (version 5, in a name space of volplugin's own).
std::string uuid_of(std::string_view name);

}  // namespace volplugin::os
