// SPDX-License-Identifier: Apache-2.0
// The body of a call of the Docker volume plugin protocol.
#include "dockerplugin/requests.h"

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  (void)volplugin::dockerplugin::parse_request({reinterpret_cast<const char*>(data), size}).has_value();
  return 0;
}
