// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace volplugin::daemon {

inline constexpr const char* kVersion = VOLPLUGIN_VERSION;  // from CMakeLists.txt

}  // namespace volplugin::daemon
